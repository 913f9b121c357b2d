"""The screens that bring in one of the registry's files: a preview with differences, then storing with a reason."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from import_export.admin import ImportMixin
from import_export.formats.base_formats import Format
from import_export.forms import ConfirmImportForm, ImportForm

from registry.admin.resources import LARGEST, RESOURCES, Kept, too_large
from registry.imports import jobs
from registry.models import Import
from sites.tenancy.access import Can


class AsUploaded(Format):
    """CSV or a workbook: the import's own reader finds out which."""

    def get_title(self):
        return "CSV, Excel (.xlsx)"

    def can_import(self):
        return True


class UploadForm(ImportForm):
    """One file. An empty one is refused in the words of the import."""

    import_file = forms.FileField(
        label=gettext_lazy("File"),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,.xlsx"}),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields["format"].required, self.fields["format"].widget = False, forms.HiddenInput()

    def clean_import_file(self):
        upload = self.cleaned_data["import_file"]
        if upload.size > LARGEST:
            raise forms.ValidationError(too_large(upload.name))
        return upload


class ConfirmForm(ConfirmImportForm):
    """Which import, why, and whether what differs replaces what is stored."""

    import_file_name = forms.ModelChoiceField(Import.objects.none(), widget=forms.HiddenInput())
    original_file_name = format = resource = None
    update = forms.BooleanField(
        required=False,
        error_messages={"required": gettext_lazy("Say whether these rows replace what is stored.")},
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason, for the audit trail"),
        max_length=200,
        error_messages={"required": gettext_lazy("Say why, in a few words.")},
    )

    def __init__(self, undecided, *args, **kwargs):
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields["import_file_name"].queryset = undecided

    def clean_import_file_name(self):
        """The import itself. Rows that differ ask for the tick, in words that name how many they are."""
        job = self.cleaned_data["import_file_name"]
        self.ask_about(job)
        return job

    def ask_about(self, job):
        changed = sum(counts["changed"] for counts in job.counts["files"].values())
        self.fields["update"].required = bool(changed)
        self.fields["update"].label = _("Replace what is stored (rows: %(n)s)") % {"n": changed}
        if not changed:
            self.fields["update"].widget = forms.HiddenInput()


class ImportsWireFile(ImportMixin):
    """For the ModelAdmin of a table that has a file of its own; for those who may import and may look at the table."""

    import_export_change_list_template = "admin/registry/change_list_clinical.html"
    import_template_name = "admin/registry/import_file.html"
    import_form_class = UploadForm
    import_formats = [AsUploaded]

    def has_import_permission(self, request):
        return self.has_view_permission(request) and request.access.may(Can.IMPORT)

    def get_import_resource_classes(self, request):
        return [RESOURCES[self.model]]

    def changelist_view(self, request, extra_context=None):
        more = {"may_export": request.access.may(Can.EXPORT)}
        return super().changelist_view(request, more | (extra_context or {}))

    def import_action(self, request, **kwargs):
        """Choose the file; what it would do is shown, and nothing stored."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = self.create_import_form(request)
        if request.method != "POST" or not form.is_valid():
            return self._shown(request, form=form, status=422 if request.method == "POST" else 200)
        upload = form.cleaned_data["import_file"]
        job = jobs.begin(access=request.access, files={upload.name: upload})
        result = self._resource(request).import_data(Kept(job), dry_run=True)
        return self._shown(request, result=result, form=form, confirm_form=self._asking(request, result))

    @method_decorator(require_POST)
    def process_import(self, request, **kwargs):
        """Store what was looked at; where that has changed since, it is looked at again."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form, resource = ConfirmForm(self._undecided(request), request.POST), self._resource(request)
        if not form.is_valid():
            job = form.cleaned_data.get("import_file_name")
            if job is None:
                messages.warning(request, _("This import is decided. Choose the files again."))
                return HttpResponseRedirect(self._address("import"))
            return self._shown(request, result=resource.result_of(job), confirm_form=form, status=422)
        answers = {name: form.cleaned_data[name] for name in ("reason", "update")}
        result = resource.import_data(Kept(form.cleaned_data["import_file_name"]), **answers)
        if not result.stored:
            return self._shown(request, result=result, confirm_form=self._asking(request, result), status=409)
        counts = {"new": result.totals["new"], "changed": result.totals["update"]}
        message = _("Stored. New rows: %(new)s; changed rows: %(changed)s.") % counts
        address = reverse("import_report", args=[result.job.pk])
        messages.success(request, format_html('{} <a href="{}">{}</a>', message, address, _("Show it")))
        return HttpResponseRedirect(self._address("changelist"))

    def _resource(self, request):
        return RESOURCES[self.model](request.access)

    def _undecided(self, request):
        """The person's own imports of this file that were checked and not yet stored."""
        mine = Import.objects.filter(requested_by=request.user, status=Import.Status.CHECKED, undoes=None)
        return mine.filter(counts__files__has_key=RESOURCES[self.model].file.name)

    def _asking(self, request, result):
        """The form that confirms; None where nothing can be stored."""
        if not result.may_be_stored:
            return None
        form = ConfirmForm(self._undecided(request), initial={"import_file_name": result.job.pk})
        form.ask_about(result.job)
        return form

    def _address(self, act):
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{act}")

    def _shown(self, request, *, status=200, **context):
        resource = self._resource(request)
        context |= self.admin_site.each_context(request)
        context |= {
            "title": f"{_('Import')}: {capfirst(self.opts.verbose_name_plural)}",
            "opts": self.opts,
            "file": resource.file,
            "columns": resource.get_diff_headers(),
            "largest": LARGEST // 1000,
            "address": self._address("import"),
            "confirm_address": self._address("process_import"),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.import_template_name, context, status=status)
