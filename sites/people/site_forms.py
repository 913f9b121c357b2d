"""The form of a site, on its page and on the administration screens alike."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from registry.instruments import spelling
from registry.instruments.base import InvalidValue
from sites.models import Site, value_set_choices
from sites.tenancy.scope import current, everything


def is_referred_to(row: Any) -> bool:
    """Whether any row anywhere refers to `row`; asked under the scope of all sites, and only yes or no comes out.

    An administrator's own scope reaches no clinical row, so Django's check before deleting would find none.
    """
    with everything(user_id=current().user_id, in_error=True):
        return any(
            relation.related_model._base_manager.filter(**{relation.field.name: row}).exists()
            for relation in row._meta.related_objects
        )


class SiteForm(forms.ModelForm):
    """What a site is. The code starts every patient's number: it stays once a patient or a person is there."""

    class Meta:
        model = Site
        fields: Sequence[str] = (
            "code", "name", "name_ja", "region", "enrolment_target", "value_set",
            "contact_name", "contact_email", "contact_phone", "activated_on", "closed_on",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "value_set" in self.fields:  # a form's class would keep the language in which it was made
            cast("forms.ChoiceField", self.fields["value_set"]).choices = value_set_choices()
        if "code" in self.fields and self.instance.pk and is_referred_to(self.instance):
            self.fields["code"].disabled = True

    def clean_code(self) -> str:
        """In its one spelling: full width becomes half width, and what only looks like a letter is refused."""
        try:
            return spelling.code(self.cleaned_data["code"])
        except InvalidValue as error:
            message = _("This code %(why)s.") % {"why": error.reason.in_language(get_language() or "en")}
            raise ValidationError(message) from None

    def clean(self) -> dict[str, Any]:
        """A day of closing before that of activation is told beside its field."""
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("activated_on"), cleaned.get("closed_on")
        if first and last and last < first:
            self.add_error("closed_on", _("A site cannot close before it is activated."))
        return cleaned
