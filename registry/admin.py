"""Administration of the visit schedule. Clinical tables are not here: administering gives no clinical data."""

from django.contrib import admin
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from import_export.admin import ExportMixin

from registry.instruments.timepoints import unscheduled_number
from registry.models import ScheduledVisit, ScheduleVersion, Timepoint
from sites.admin import Screen
from sites.admin_site import Administered
from sites.resources import Checked


class TimepointResource(Checked):
    class Meta(Checked.Meta):
        model = Timepoint
        import_id_fields = ("code",)
        fields = export_order = ("code", "label", "label_ja")


@admin.register(Timepoint)
class TimepointAdmin(Screen, ExportMixin, admin.ModelAdmin):
    """The names of the visits. When they are planned is published as a version of the schedule."""

    resource_classes = [TimepointResource]
    list_display = ("label", "label_ja", "code", "target_day")
    search_fields = ("code", "label", "label_ja")
    ordering = ("position", "code")
    fields = ("code", ("label", "label_ja"))
    readonly_fields = ("code",)

    @admin.display(description=_("target day"))
    def target_day(self, timepoint):
        return None if unscheduled_number(timepoint.code) else timepoint.position

    def has_add_permission(self, request):
        return False  # a timepoint comes with the version of the schedule that first plans it


class VisitInline(Administered, admin.TabularInline):
    model = ScheduledVisit
    fields = ("timepoint", "target_day", "days_before", "days_after")
    extra = 0

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


@admin.register(ScheduleVersion)
class ScheduleVersionAdmin(Screen, admin.ModelAdmin):
    """The history of the schedule, for reading; another version is published on the schedule's own page."""

    list_display = ("effective_from", "note", "created_by", "created_at")
    ordering = ("-effective_from", "-pk")
    inlines = [VisitInline]

    def add_view(self, request, form_url="", extra_context=None):
        return redirect("schedule_new")

    def has_change_permission(self, request, obj=None):
        return False
