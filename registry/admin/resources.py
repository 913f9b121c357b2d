"""django-import-export's resources of the registry's own files, with the rules of every import.

The library would clean, compare and save row by row, by rules of its own. Here its resource hands the file to
`registry.imports.jobs`, as the page for importing does: kept sealed, checked whole, stored in one transaction with a
reason, undone like any other. What came out is told in the library's terms.
"""

import tablib
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from import_export import fields, resources
from import_export.results import Error, InvalidRow, Result, RowResult

from registry.imports import jobs
from registry.imports.checking import listing
from registry.imports.files import uploads
from registry.imports.report import Findings
from registry.models import Import
from registry.services.files import file_formats
from registry.tasks import carry_out_import

LARGEST = jobs.SMALL  # bytes: the preview is made while the person waits
Status, Act = Import.Status, Import.Act
TYPES = {"new": RowResult.IMPORT_TYPE_NEW, "changed": RowResult.IMPORT_TYPE_UPDATE}
TOTALS = TYPES | {"unchanged": RowResult.IMPORT_TYPE_SKIP}


class Kept(tablib.Dataset):
    """A file as it was uploaded, sealed with its `Import`: read by the import's reader, not by the library's."""

    def __init__(self, job):
        super().__init__()
        self.job = job


class Row(RowResult):
    """A row that is new or changes: its row in the file, what names it, and [column, stored, new] of its cells."""

    def __init__(self, kind, row, key, cells, more=0):
        super().__init__()
        self.import_type, self.row, self.key, self.cells, self.more = TYPES[kind], row, key, cells, more


class Outcome(Result):
    """What came of an import: of its rows the first of each kind, of its findings the report, of both the totals."""

    def __init__(self, job=None):
        super().__init__()
        self.job, self.report = job, {"errors": Findings(), "warnings": Findings()}

    @property
    def stored(self):
        return self.job is not None and self.job.status == Status.DONE

    @property
    def may_be_stored(self):
        return self.job is not None and self.job.status == Status.CHECKED and not self.job.counts["errors"]

    @property
    def new(self):
        return [row for row in self.rows if row.is_new()]

    @property
    def changed(self):
        return [row for row in self.rows if row.is_update()]

    @property
    def is_listed_whole(self):
        return all(self.totals[kind] == len(rows) for kind, rows in (("new", self.new), ("update", self.changed)))

    def refuse(self, text):
        self.append_base_error(Error(ValueError(text)))


class WireResource(resources.Resource):
    """One of the registry's files. `access`: of the person who imports."""

    file: file_formats.File

    def __init__(self, access, **kwargs):
        super().__init__(**kwargs)
        self.access = access

    @classmethod
    def get_display_name(cls):
        return cls._meta.name

    def import_data(
        self, dataset, dry_run=False, raise_errors=False, *, file_name="", reason="", update=False, **_more
    ):
        """Check a dataset, or `Kept` file, and unless `dry_run` store it; returns a `Outcome`.

        reason  for the audit trail; nothing is stored without one
        update  rows that differ replace what is stored; otherwise they are refused
        Raises PermissionDenied; ValueError for a dataset that is too large, and where it is refused and `raise_errors`.
        """
        if isinstance(dataset, Kept):
            result = self._checked(dataset.job)
        else:
            content = dataset.export("csv").encode()
            if len(content) > LARGEST:
                raise ValueError(too_large(file_name or self.file.filename))
            files = {file_name or self.file.filename: content}
            result = self._checked(jobs.begin(access=self.access, files=files))
        if not dry_run and result.may_be_stored:
            result = self._stored(result, reason.strip(), update)
        if raise_errors and (result.has_errors() or result.has_validation_errors()):
            reasons = [str(error.error) for error in result.base_errors] + [
                str(row.error) for row in result.invalid_rows
            ]
            raise ValueError("; ".join(reasons))
        return result

    def _checked(self, job):
        if job.status == Status.OPEN:
            refusal = self._refusal(job)
            if refusal:
                result = Outcome(job)
                result.refuse(refusal)
                return result
            carry_out_import(job, Act.CHECK)
            job.refresh_from_db()
        return self.result_of(job)

    def _refusal(self, job):
        """Why a file cannot be imported here, where it could be on the page for it."""
        if jobs.has_workbook(job):
            return _("A worker reads workbooks. The import page goes on with this one.")
        if jobs.step_of(job) != "check":
            return _("It is not certain how the file is read or what its columns stand for. The import page asks.")
        files = [jobs.file_of(name, layout) for name, layout in jobs.layouts_of(job)]
        others = [file.filename for file in files if file not in (self.file, None)]
        if others:
            names = {"file": self.file.filename, "other": ", ".join(others)}
            return _("These are the columns of %(other)s, not of %(file)s.") % names
        return ""

    def _stored(self, result, reason, update):
        if not reason:
            result.refuse(_("Say why, in a few words."))
            return result
        if result.totals[RowResult.IMPORT_TYPE_UPDATE] and not update:
            result.refuse(_("Say whether these rows replace what is stored."))
            return result
        carry_out_import(result.job, Act.STORE, update=update, reason=reason[:200])
        result.job.refresh_from_db()
        return self.result_of(result.job)

    def result_of(self, job):
        """The `Outcome` of an import that was checked or stored."""
        result = Outcome(job)
        result.diff_headers = self.get_diff_headers()
        result.report = jobs.report_of(job)
        counts = job.counts.get("files", {}).get(self.file.name, {})
        for kind, count in counts.items():
            result.totals[TOTALS[kind]] = count
        result.total_rows = sum(counts.values())
        for kind in TYPES:
            for row in listing.loaded(uploads.stored(job, f"{kind}:{self.file.name}", 0)):
                result.append_row_result(Row(kind, **row))
        if job.error:
            result.refuse(_(job.error))
        for error in result.report["errors"].listed:
            _tell(result, error)
        result.totals[RowResult.IMPORT_TYPE_INVALID] = result.report["errors"].total
        return result


def _tell(result, finding):
    reason = finding.reason.in_language(get_language())
    if finding.row is None:
        result.refuse(f"{finding.file}: {reason}" if finding.file else reason)
    else:
        problem = ValidationError({finding.column or NON_FIELD_ERRORS: [reason]})
        result.invalid_rows.append(InvalidRow(finding.row, problem, (finding.value,)))


def too_large(name):
    return _("%(file)s is larger than %(size)s kB. Use the import page.") % {"file": name, "size": LARGEST // 1000}


def resource_of(file):
    """The resource class of a `file_formats.File`: a field for each of its columns and its columns of reasons."""
    names = [item.name for item in (*file.items, *file.reasons)]
    meta = type("Meta", (), {"name": file.filename, "import_order": names})
    columns = {name: fields.Field(column_name=name) for name in names}
    return type(f"{file.model.__name__}Resource", (WireResource,), {"file": file, "Meta": meta, **columns})


RESOURCES = {file.model: resource_of(file) for file in file_formats.FILES}
