"""The forms that give roles and end them, on the pages and on the administration screens alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from sites.models import Membership
from sites.people.administrators import none_would_last
from sites.tenancy.access import CENTRAL_ROLES

LAST_ADMINISTRATOR = _(
    "This is the last administrator. Give somebody else an administrator membership without an end first."
)


if TYPE_CHECKING:
    FormBase = forms.BaseForm
else:
    FormBase = object


class RoleInWords(FormBase):
    """Says beside the field what the database would refuse: a site that does not fit, an end before the start."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        role, starts, ends = (cleaned.get(name) for name in ("role", "starts_on", "ends_on"))
        if role and "site" in cleaned and (role in CENTRAL_ROLES) != (cleaned["site"] is None):
            self.add_error("site", _("A central role has no site; every other role needs one."))
        if starts and ends and ends < starts:
            self.add_error("ends_on", _("The last day cannot be before the first."))
        return cleaned


class MembershipForm(RoleInWords, forms.ModelForm):
    class Meta:
        model = Membership
        fields: Sequence[str] = ("user", "role", "site", "starts_on", "ends_on")
        help_texts = {"ends_on": _("The last day with access; yesterday ends it now. Empty: no end.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Who had which role where, and since when, is history once it has begun: another role is another membership.
        if self.instance.pk and self.instance.starts_on <= timezone.localdate():
            for name in {"user", "role", "site", "starts_on"}.intersection(self.fields):
                self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        ends = self.instance.pk and cleaned.get("ends_on")
        if ends and none_would_last(timezone.localdate(), without=Q(pk=self.instance.pk)):
            self.add_error("ends_on", LAST_ADMINISTRATOR)
        return cleaned


class MembershipsOfOnePerson(forms.BaseInlineFormSet):
    def clean(self) -> None:
        super().clean()
        ending = [form.instance.pk for form in self.forms if form.instance.pk and form.cleaned_data.get("ends_on")]
        if len(ending) > 1 and none_would_last(timezone.localdate(), without=Q(pk__in=ending)):
            raise ValidationError(LAST_ADMINISTRATOR)
