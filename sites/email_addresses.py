"""E-mail addresses of people: the one spelling in which an address is stored, compared and written to.

Lower case, NFKC, the domain as IDNA has it (UTS 46): plain ASCII. People are only ever looked up by this form, and the
database refuses any other (`ONE_SPELLING`), so that two addresses which a person, a mail server or Unicode takes for
the same are the same text.
"""

from typing import Any

import idna
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from registry.instruments import spelling
from registry.instruments.base import InvalidValue

LONGEST = 254
# What the database takes, as a PostgreSQL expression: ASCII, lower case, one @, no blank.
SHAPE = r"^[a-z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-z0-9-]+(\.[a-z0-9-]+)*$"
ONE_SPELLING = Q(email__regex=SHAPE)
NOT_AN_ADDRESS = _("Enter an e-mail address, such as name@hospital.example.")


def canonical(text: str) -> str:
    """The address in its one spelling. Raises ValidationError, which names a character that does not belong there."""
    try:
        address = spelling.folded(str(text)).replace("。", ".")
        local, at, domain = address.rpartition("@")
        if not (local and at and domain):
            raise ValidationError(NOT_AN_ADDRESS, code="invalid")
        address = f"{spelling.ascii_only(local)}@{_domain(domain)}".lower()
    except InvalidValue as error:
        raise ValidationError(
            _("This e-mail address %(why)s."),
            code="invalid",
            params={"why": error.reason.in_language(get_language() or "en")},
        ) from None
    if len(address) > LONGEST:
        raise ValidationError(NOT_AN_ADDRESS, code="invalid")
    validate_email(address)
    return address


def _domain(domain: Any) -> Any:
    """A domain as its ASCII labels. One that is ASCII already stays, whether or not IDNA would give it out today."""
    if domain.isascii():
        return spelling.ascii_only(domain)
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise ValidationError(NOT_AN_ADDRESS, code="invalid") from None


def canonical_or_none(text: str) -> str | None:
    """As `canonical`, for look-ups: None for what is no address, and so nobody's."""
    try:
        return canonical(text)
    except ValidationError:
        return None


class EmailAddressFormField(forms.EmailField):
    """An e-mail address as somebody types it, in its one spelling from there on."""

    def to_python(self, value: Any) -> str | None:
        value = super().to_python(value)
        return value if value in self.empty_values else canonical(value)


class EmailAddressField(models.EmailField):
    """An e-mail address in its one spelling: whatever is stored or looked up by it is brought into that first."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value if value in self.empty_values else canonical(value)

    def pre_save(self, instance: Any, add: Any) -> Any:
        """Raises ValidationError for what is no address."""
        value = getattr(instance, self.attname)
        if isinstance(value, str):
            value = canonical(value)
            setattr(instance, self.attname, value)
        return value

    def get_prep_value(self, value: Any) -> Any:
        """What is no address stays as it is: no row has it, and the database takes none."""
        value = models.Field.get_prep_value(self, value)
        return canonical_or_none(value) or value if isinstance(value, str) else value

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": EmailAddressFormField} | kwargs)

    def deconstruct(self) -> Any:
        """Migrations need only the column."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.EmailField", args, kwargs
