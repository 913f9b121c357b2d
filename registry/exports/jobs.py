"""The life of an export: asked for, carried out once, kept for some days, taken away.

The row is the job (`registry.services.jobs`). The file is written under another name and put into the shared store when
it is whole, by the worker that still has the claim: a failed or cancelled export leaves none.
"""

import hashlib
import os
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count
from django.utils import timezone

from registry.exports import choices as asked
from registry.exports.choices import InvalidChoices
from registry.exports.data.selecting import ExportFailed, lists_patients, selected
from registry.exports.package import write_package
from registry.instruments.base import Label
from registry.instruments.timepoints import planned
from registry.models import Erasure, Export, Snapshot
from registry.services import jobs
from registry.services.files import file_formats, shared_store
from registry.services.files.data_source import LIVE
from sites import audit
from sites.audit.retention import Old
from sites.database.copying import one_moment
from sites.database.replica import on_replica
from sites.tenancy.access import Can, access_of
from sites.tenancy.scope import Scope, entered, everything

STALE = timedelta(seconds=60)
AT_ONCE = 20_000  # rows up to which a request waits for its file
SLOW_AT_ONCE = 2_000  # the same where writing a row costs much more

Status = Export.Status
NO_ROOM = Label(
    "The server has no room for the file, or its store does not answer. Tell the operator.",
    "サーバーの空き容量が足りないか、保存先が応答しません。管理者に連絡してください。",
)
UNDER_WAY = (Status.QUEUED, Status.RUNNING)


# What people do


def request(*, access, choices):
    """A new Export of Choices, queued, of the sites where the person may export.

    Raises PermissionDenied, and InvalidChoices for a snapshot that is not there for them.
    """
    access.require(Can.EXPORT)
    if choices.snapshot:
        check_snapshot(access, choices)
    sites = access.sites_for(Can.EXPORT)
    export = Export.objects.create(
        choices=choices.to_json(),
        site_ids=list(sites),
        requested_by_id=access.user_id,
        rows_expected=rows_expected(choices, sites),
    )
    audit.record_for_sites(
        "export",
        sites,
        table=Export._meta.db_table,
        row_id=export.pk,
        detail={"format": choices.format, "cohort": choices.cohort.name, "sites": len(sites), "identified": False}
        | ({"snapshot": choices.snapshot} if choices.snapshot else {}),
    )
    return export


def check_snapshot(access, choices):
    """InvalidChoices unless the snapshot is there and the person may see frozen data."""
    known = may_see_snapshots(access) and Snapshot.objects.filter(pk=choices.snapshot).exists()
    if not known:
        raise InvalidChoices("snapshot", Label("there is no such snapshot", "そのスナップショットはありません"))


def may_see_snapshots(access):
    """A snapshot is of all sites at once: it is for those who read all."""
    return access.may(Can.FREEZE) or access.may(Can.COMPARE)


def rows_expected(choices, sites):
    """About how many rows an export writes: those of its tables, whatever the cohort leaves out."""
    if choices.snapshot:
        frozen = Snapshot.objects.values_list("rows", flat=True).get(pk=choices.snapshot)
        return sum(n for name, n in frozen.items() if name != file_formats.ASSESSMENTS.name or not choices.is_wide)
    with connection.cursor() as cursor:
        tables = [LIVE.patients, LIVE.events, LIVE.ends] + ([] if choices.is_wide else [LIVE.assessments])
        counts = " + ".join(f"(SELECT count(*) FROM {table} WHERE site_id = ANY(%(sites)s))" for table in tables)
        cursor.execute(f"SELECT {counts}", {"sites": list(sites)})
        return cursor.fetchone()[0]


def is_small(export):
    """Whether a request may wait for the file; a wide row is as much work as a long one of every timepoint."""
    choices = asked.from_json(export.choices)
    width = len(planned()) if choices.is_wide else 1
    return export.rows_expected * width <= (SLOW_AT_ONCE if choices.kind.slow else AT_ONCE)


def cancel(*, access, export):
    """Stop an export: at once if no worker has it, within about a second otherwise."""
    jobs.cancel(Export.objects.filter(pk=export.pk, requested_by_id=access.user_id))


def again(*, access, export):
    """The export of a person who may still ask for it, to be sent once more; as it is unless it failed or was stopped.

    Raises PermissionDenied.
    """
    access.require(Can.EXPORT)
    ended = Export.objects.filter(pk=export.pk, status__in=jobs.WITHOUT_RESULT)
    jobs.requeue(ended, rows_written=0, error=None)
    return export


def of(access):
    """The exports that a person asked for and may still export from: a query, newest first."""
    sites = list(access.sites_for(Can.EXPORT))
    return Export.objects.filter(requested_by_id=access.user_id, site_ids__contained_by=sites)


def one_of(access, export_id):
    """One of these; Export.DoesNotExist otherwise."""
    return of(access).get(pk=export_id)


def name_of(export):
    """The name of an export's file in the shared store."""
    return f"{export.pk}.zip"


def file_of(export):
    """The `shared_store.Stored` file of a finished export, or None. OSError where the store does not answer."""
    return shared_store.find(name_of(export)) if export.status == Status.DONE else None


# What workers do


def perform(export_id, reporting=True):
    """Claim the export and carry it out. Returns whether the claim was won; every outcome is in the row.

    reporting  whether progress is written meanwhile, and a wish to cancel heard: for what a worker does
    """
    claim = jobs.claim(Export, export_id, STALE, in_turn=reporting, rows_written=0, error=None)
    if claim is None:
        return False
    export = Export.objects.select_related("requested_by").get(pk=export_id)
    partial = settings.EXPORT_FOLDER / f".{export.pk}.{claim.began.timestamp()}.part"
    try:
        jobs.carry_out(
            claim,
            lambda tell: _publish(export, claim, partial, _written(export, partial, tell)),
            _explained,
            reporting=reporting,
            foreseen=(ExportFailed, InvalidChoices),
        )
    finally:
        if partial.is_file():
            partial.unlink()
    return True


def _written(export, partial, tell):
    """Write the file under the name `partial`; returns the manifest."""
    choices = asked.from_json(export.choices)
    sites = tuple(export.site_ids)
    access = access_of(export.requested_by)
    if not set(access.sites_for(Can.EXPORT)).issuperset(sites):
        raise ExportFailed(
            Label("Whoever asked for this may no longer export it.", "依頼した人の出力権限がなくなっています。")
        )
    reason = f"export {export.pk}"
    blinding = {"blind": access.is_blind, "hidden": access.hidden_names}
    scope = Scope(read=sites, user_id=export.requested_by_id, reason=reason, **blinding)
    shared_store.private_folder()

    def write():
        with entered(scope), one_moment(), selected(choices, sites, lambda rows: tell(rows_written=rows)) as chosen:
            return write_package(_private(partial), chosen, str(export.requested_by))

    with entered(scope), transaction.atomic():
        listed = lists_patients(choices)
    return write() if listed else on_replica(write)


def _publish(export, claim, partial, manifest):
    """Give the file its name, and the row what belongs to it. Raises Cancelled or ClaimLost, then without either."""
    about = _about_file(export, partial)
    with transaction.atomic():
        claim.hold()
        shared_store.put(partial, name_of(export))
        claim.end(Status.DONE, manifest=manifest, rows_written=sum(manifest["rows"].values()), **about)


def _private(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    return path


def _about_file(export, path):
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return {
        "size": path.stat().st_size,
        "sha256": digest.hexdigest(),
        "filename": _filename(export),
        "expires_at": timezone.now() + timedelta(days=settings.EXPORT_DAYS),
    }


def _filename(export):
    synthetic = "synthetic-" if settings.SYNTHETIC else ""
    return f"{synthetic}metaspine-{export.choices['format']}-{timezone.localdate()}-{str(export.pk)[:8]}.zip"


def _explained(error):
    """Why it failed, in both languages; the log has the rest."""
    if isinstance(error, (ExportFailed, InvalidChoices)):
        return jobs.in_words(error.reason)
    return jobs.in_words(NO_ROOM) if isinstance(error, (OSError, MemoryError)) else jobs.unforeseen(error)


def recover():
    """Exports to be sent (again), as `jobs.recover` says. Returns their ids."""
    return jobs.recover(Export, STALE, jobs.in_words(jobs.WORKER_LOST))


def _with_erased_patients(done):
    """Exports from before a patient of one of their sites was erased whole: what a cohort left out is not asked."""
    with everything(reason="exports expire"), transaction.atomic():
        whole = Erasure.objects.filter(extent=Erasure.Extent.EVERYTHING).order_by()
        erased = dict(whole.values_list("site_id").annotate(Count("pk")))
    return [export for export in done if sum(erased.get(site, 0) for site in export.site_ids) > _erased_before(export)]


def _erased_before(export):
    """How many of its sites' patients an export knew to be erased, at the moment of which its rows are."""
    return export.manifest["patients"].get("erased", 0) if export.manifest else 0


def old_records():
    """The records of exports whose file has been gone for as long as settings keep them: a `retention.Old`."""
    before = timezone.now() - settings.EXPORT_RECORDS_KEPT
    ended = Export.objects.filter(status__in=(Status.EXPIRED, Status.FAILED, Status.CANCELLED))
    return Old(ended.filter(finished_at__lt=before), before)


def expire():
    """Take away the files whose time is over or that may hold an erased patient, and what an interrupted export left.

    Returns how many exports expired.
    """
    now = timezone.now()
    done = Export.objects.filter(status=Status.DONE)
    over = list(done.filter(expires_at__lte=now)) + _with_erased_patients(done.filter(expires_at__gt=now))
    for export in over:
        shared_store.delete(name_of(export))
    Export.objects.filter(pk__in=[export.pk for export in over]).update(status=Status.EXPIRED)
    if over:
        with everything(reason="exports expire"), transaction.atomic():
            for old_export in over:
                audit.record_for_sites(
                    "export_expired", old_export.site_ids, table=Export._meta.db_table, row_id=old_export.pk
                )
    _clear_away(now - timedelta(days=1))
    return len(over)


def _clear_away(before):
    """What interrupted workers left until then: parts of files in the folder, files of the store that no export has."""
    for left in settings.EXPORT_FOLDER.glob(".*.part") if settings.EXPORT_FOLDER.is_dir() else ():
        if left.stat().st_mtime < before.timestamp():
            left.unlink(missing_ok=True)
    done = {name_of(export) for export in Export.objects.filter(status=Status.DONE).only("pk")}
    for name, put_at in shared_store.names():
        if name.endswith(".zip") and name not in done and put_at < before:
            shared_store.delete(name)
