"""Administration of the visit schedule. Clinical tables are not here: administering gives no clinical data."""

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportMixin

from registry.instruments.timepoints import SCHEDULE
from registry.models import Timepoint
from sites.admin import Screen
from sites.admin_site import is_referred_to
from sites.resources import Checked

# The protocol's own timepoints: analyses name them.
PLANNED = frozenset(one.code for one in SCHEDULE)


class TimepointResource(Checked):
    class Meta(Checked.Meta):
        model = Timepoint
        import_id_fields = ("code",)
        fields = export_order = ("code", "label", "label_ja", "target_day", "days_before", "days_after", "position")


class TimepointForm(forms.ModelForm):
    class Meta:
        model = Timepoint
        fields = ("code", "label", "label_ja", "target_day", "days_before", "days_after", "position")
        help_texts = {
            "code": _("Short and stable, e.g. 36m: it stands in files and addresses."),
            "target_day": _("Counted from the day of surgery."),
            "days_before": _("How many days before the target day the visit is still on time."),
            "days_after": _("How many days after the target day the visit is still on time."),
            "position": _("The order in lists and grids."),
        }


@admin.register(Timepoint)
class TimepointAdmin(Screen, ImportExportMixin, admin.ModelAdmin):
    form = TimepointForm
    resource_classes = [TimepointResource]
    list_display = ("label", "label_ja", "code", "target_day", "window", "position")
    search_fields = ("code", "label", "label_ja")
    ordering = ("position",)
    fields = ("code", ("label", "label_ja"), "target_day", ("days_before", "days_after"), "position")

    @admin.display(description=_("on time from day to day"))
    def window(self, timepoint):
        return f"{timepoint.target_day - timepoint.days_before} … {timepoint.target_day + timepoint.days_after}"

    def get_readonly_fields(self, request, obj=None):
        return ("code",) if obj else ()

    def has_delete_permission(self, request, obj=None):
        return (
            self.has_change_permission(request)
            and obj is not None
            and obj.pk not in PLANNED
            and not is_referred_to(obj)
        )
