"""What the admin screens import and export, and how: natural keys, no passwords, no formulas for spreadsheets."""

import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from import_export import fields, resources, widgets
from import_export.formats import base_formats

from registry.instruments import spelling
from registry.instruments.base import InvalidValue
from sites.email_addresses import canonical
from sites.models import Membership, Site, User

# What a spreadsheet takes for a formula when a cell begins with it.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CSV(base_formats.CSV):
    """CSV whose text cells no spreadsheet runs: `'` goes before what would be a formula, and comes off on import."""

    def export_data(self, dataset: Any, **kwargs: Any) -> str:
        return super().export_data(_each_cell(dataset, guarded), **kwargs)

    def create_dataset(self, in_stream: Any, **kwargs: Any) -> Any:
        return _each_cell(super().create_dataset(in_stream, **kwargs), unguarded)


class XLSX(base_formats.XLSX):
    """A workbook with the same guard: the library would write such a text as a formula."""

    def export_data(self, dataset: Any, **kwargs: Any) -> bytes:
        return super().export_data(_each_cell(dataset, guarded), **kwargs)

    def create_dataset(self, in_stream: Any, **kwargs: Any) -> Any:
        return _each_cell(super().create_dataset(in_stream, **kwargs), _typed)


def _typed(cell: Any) -> Any:
    """A cell as a text file has it: nothing for none, whole numbers without a point."""
    if cell is None:
        return ""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else unguarded(cell)


def guarded(cell: Any) -> Any:
    return "'" + cell if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def unguarded(cell: Any) -> Any:
    return cell[1:] if isinstance(cell, str) and cell[:1] == "'" and cell[1:].startswith(FORMULA) else cell


def _each_cell(dataset: Any, change: Any) -> Any:
    for number, row in enumerate(dataset):
        dataset[number] = [change(cell) for cell in row]
    return dataset


FORMATS = (CSV, XLSX, base_formats.JSON)


class Difference(resources.Diff):
    """What an import would change, without the inline styles that the pages' Content Security Policy forbids."""

    def as_html(self) -> Any:
        return [mark_safe(re.sub(r' style="[^"]*"', "", html)) for html in super().as_html()]  # noqa: S308 - escaped


class Checked(resources.ModelResource):
    """A row is checked as a form would check it, and what is already stored as it stands is not written again."""

    @classmethod
    def get_diff_class(cls) -> Any:
        return Difference

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        """No file brings its own row numbers, so no sequence is to be moved; the application's role may not."""

    class Meta:
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True
        use_transactions = True


class CodeWidget(widgets.CharWidget):
    """Codes of sites in their one spelling; what only looks like a letter, or is not seen, is refused by its name."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return _code(super().clean(value, row, **kwargs))


def _code(text: str) -> str:
    """A code as `spelling.number` has it, its case as it is. Raises ValueError."""
    try:
        return spelling.number(text)
    except InvalidValue as error:
        why = error.reason.in_language(get_language() or "en")
        raise ValueError(_("This code %(why)s.") % {"why": why}) from None


class SiteResource(Checked):
    code = fields.Field("code", "code", widget=CodeWidget())

    class Meta(Checked.Meta):
        model = Site
        import_id_fields = ("code",)
        fields = export_order = (
            "code", "name", "name_ja", "region", "enrolment_target", "value_set",
            "contact_name", "contact_email", "contact_phone", "activated_on", "closed_on",
        )  # fmt: skip


class EmailWidget(widgets.CharWidget):
    """E-mail addresses in their one spelling, so that one person is not two."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return _address(super().clean(value, row, **kwargs))


def _address(text: str) -> str:
    """An address as `canonical` has it. Raises ValueError."""
    try:
        return canonical(text)
    except ValidationError as error:
        raise ValueError(error.messages[0]) from None


class Known(widgets.ForeignKeyWidget):
    """A row named by its natural key in whatever spelling; an error names the character, or what there is none of."""

    def __init__(self, model: type[Model], field: str, spelled: Callable[[str], str]) -> None:
        super().__init__(model, field)
        self.spelled = spelled

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        if not value:
            return None
        text = self.spelled(str(value))
        try:
            return super().clean(text, row, **kwargs)
        except self.model.DoesNotExist:
            raise ValueError(
                _("There is no %(what)s “%(text)s”.") % {"what": self.model._meta.verbose_name, "text": text}
            ) from None


class PersonResource(Checked):
    """People by e-mail address. Someone new has no password until an administrator sets one."""

    email = fields.Field("email", "email", widget=EmailWidget())

    class Meta(Checked.Meta):
        model = User
        import_id_fields = ("email",)
        fields = export_order = ("email", "name", "language")

    def init_instance(self, row: Any = None) -> Any:
        person = super().init_instance(row)
        person.set_unusable_password()
        return person


class MembershipResource(Checked):
    """Adds memberships; one that is already there stays as it is, so that a file ends nobody's access."""

    person = fields.Field("user", "person", widget=Known(User, "email", _address))
    site = fields.Field("site", "site", widget=Known(Site, "code", _code))

    class Meta(Checked.Meta):
        model = Membership
        import_id_fields = ("person", "role", "site", "starts_on")
        fields = export_order = ("person", "role", "site", "starts_on", "ends_on")

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        return bool(original.pk) or super().skip_row(instance, original, row, import_validation_errors)
