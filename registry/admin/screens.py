"""Administration of the visit schedule, and clinical tables to look at for those who may also read them."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from import_export.admin import ExportMixin

from registry.admin.importing import ImportsWireFile
from registry.instruments import catalogue, spelling
from registry.instruments.timepoints import unscheduled_number
from registry.models import AdverseEvent, Assessment, FollowUpEnd, Patient, ScheduledVisit, ScheduleVersion, Timepoint
from sites.admin import Screen
from sites.admin_site import Administered
from sites.resources import Checked
from sites.tenancy.access import Can


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


class Clinical(Screen, ImportsWireFile, admin.ModelAdmin):
    """A clinical table to look at: for an administrator who may also read records, at the sites of that reading.

    Administering gives no clinical data, so these screens are not there for somebody who is an administrator alone.
    What identifies is on no screen. Nothing is changed here: forms have rules, states and reasons of their own. Files
    come in by the rules of every import, for who may import, and go out on the page for exports.
    """

    search_fields = ("patient_id",)
    search_help_text = _("Search by the beginning of the patient ID.")
    list_filter: ClassVar[Any] = (("site", admin.RelatedOnlyFieldListFilter),)
    list_select_related: ClassVar[Any] = ("site",)
    list_per_page = 50
    show_full_result_count = False
    identifying = frozenset(item.name for item in catalogue.items(catalogue.INSTRUMENTS) if item.identifying)

    def get_queryset(self, request):
        return super().get_queryset(request).filter(site_id__in=request.access.scope().read)

    def get_search_results(self, request, queryset, search_term):
        name = "patient_id" if self.model is Patient else "patient__patient_id"
        return queryset.filter(**{f"{name}__startswith": spelling.as_number(search_term)}), False

    def get_fields(self, request, obj=None):
        return [field.name for field in self.opts.concrete_fields if field.name not in self.identifying]

    def history_view(self, request, object_id, extra_context=None):
        """The patient's own history: what happens at a site is not in the administrators' part of the trail."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        return redirect("history", row.patient_id)

    def has_view_permission(self, request, obj=None):
        return request.access.may(Can.ADMINISTER) and request.access.may(Can.READ)

    has_module_permission = has_view_permission

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


@admin.register(Patient)
class PatientAdmin(Clinical):
    list_display = ("patient_id", "site", "segment_group", "surgery_date", "baseline_state", "surgery_state")
    list_filter = (*Clinical.list_filter, "segment_group", "baseline_state", "surgery_state")
    ordering = ("patient_id",)


@admin.register(Assessment)
class AssessmentAdmin(Clinical):
    list_display = ("patient_id", "site", "timepoint", "assessment_date", "state", "updated_at")
    list_filter = (*Clinical.list_filter, "timepoint", "state")
    list_select_related = ("site", "timepoint")
    ordering = ("patient_id", "timepoint__position")


@admin.register(AdverseEvent)
class AdverseEventAdmin(Clinical):
    list_display = ("patient_id", "site", "kind", "onset_date", "clavien_dindo")
    list_filter = (*Clinical.list_filter, "kind", "clavien_dindo")
    ordering = ("patient_id", "onset_date", "kind")


@admin.register(FollowUpEnd)
class FollowUpEndAdmin(Clinical):
    list_display = ("patient_id", "site", "end_kind", "end_date", "end_reason", "end_data_use")
    list_filter = (*Clinical.list_filter, "end_kind", "end_data_use")
    ordering = ("patient_id",)
