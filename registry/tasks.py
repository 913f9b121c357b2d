"""What Celery runs. Every task takes plain values, calls one function, and may run twice without harm.

A task is carried by Redis, which may lose or repeat it; the truth about what is to be done is in the database, and
`sweep` finds what was lost.
"""

import hashlib
import json
import logging
from contextlib import suppress
from datetime import date
from itertools import islice

from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.db import DatabaseError, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from registry.analysis.design import cohort_flows, cohorts
from registry.analysis.design.cohort_flows import FlowOf
from registry.analysis.design.cohort_lists import Behind
from registry.analysis.design.variables import known
from registry.analysis.documents import rendered_cache
from registry.analysis.running import freezing, runs
from registry.celery import app
from registry.exports import jobs as exports
from registry.exports.preview import PreviewOf
from registry.guards import checking
from registry.health import shared_folder
from registry.imports import jobs as imports
from registry.imports.files import uploads
from registry.imports.files.excel import isolated
from registry.models import BackupRecord, ComparisonRun, Erasing, Export, Freezing, Import
from registry.services import jobs, outcomes
from registry.services.entry import suspected_pairs
from registry.services.monitoring import safety
from registry.services.operations import (
    alert_letters,
    backup_keeping,
    digests,
    erasings,
    field_keys,
    postponed,
    record_replay,
    site_counts,
)
from registry.services.protocol import branding
from registry.services.quality import scorecard_letters, scorecards
from registry.services.records import drafts
from registry.services.review import soft_checks_bulk
from sites import attempts, audit
from sites.audit import alerts, retention, sealing
from sites.models import Site
from sites.people import tokens
from sites.tenancy.access import Can
from sites.tenancy.scope import entered, everything

logger = logging.getLogger(__name__)

TOLD = 5  # findings that an alarm names
MANY = 500  # patients that one computation takes from the list


AWAITED = "outcomes_awaited"  # the list in Redis of the patients that the next worker computes


def start_patient_outcomes(patient_id):
    """Compute a patient's outcomes once what was saved is committed."""
    transaction.on_commit(lambda: _await_outcomes(patient_id), robust=True)


def _await_outcomes(patient_id):
    # A message of Celery costs a save ten times what a line in a list does: only the first in it sends one. Without the
    # broker there is no list, and the sweeper finds what was saved.
    if cache.push(AWAITED, patient_id) == 1:
        compute_awaited_outcomes.delay()


@app.task(derived=True)
def compute_awaited_outcomes():
    """Outcomes of the patients whose forms were saved. Where a worker is lost with them, `sweep` finds them again."""
    awaited = cache.take(AWAITED, MANY)
    if awaited:
        with everything(reason="outcomes computed"), transaction.atomic():
            outcomes.compute_outcomes(set(awaited))
    if len(awaited) == MANY:  # what is left in the list announces itself no more
        compute_awaited_outcomes.delay()


@app.task(derived=True)
def compute_all_outcomes(*, anew=False):
    """Utilities and changes, by every value set in use, of those whose forms changed since; `anew`, of everybody."""
    with everything(reason="outcomes computed"), transaction.atomic():
        for value_set in Site.objects.order_by().values_list("value_set", flat=True).distinct():
            outcomes.compute_changed(value_set, anew=anew)


@app.task(derived=True)
def check_all_forms(*, anew=False):
    """The soft checks over what changed since or, `anew`, over every form: they raise and close queries."""
    with everything(reason="soft checks"), transaction.atomic():
        return soft_checks_bulk.sweep() if anew else soft_checks_bulk.sweep_changed()


def start_all_outcomes():
    """Have every outcome computed and every form checked, as after an import.

    False where the broker cannot be reached; the hourly tasks will do it later.
    """
    return all([compute_all_outcomes.delay(), check_all_forms.delay()])


@app.task
def run_comparison(run_id):
    """Carry out one comparison run; nothing if it is done, cancelled, in another worker's hands or not in its turn."""
    if runs.perform(run_id):
        prepare_comparison_files.delay(run_id)
        _send_next(ComparisonRun, run_id)


def send(job):
    """Have a worker carry out a job once what asks for it is committed; returns the job."""
    transaction.on_commit(lambda: CARRIED_OUT_BY[type(job)].delay(str(job.pk)), robust=True)
    return job


def _send_next(model, job_id):
    """Of each person some jobs are carried out at once and the others wait: send the one whose turn it is."""
    if following := jobs.next_in_turn(model, job_id):
        CARRIED_OUT_BY[model].delay(str(following))


@app.task
def run_freezing(freezing_id):
    """Freeze the registry once; nothing if it is done, cancelled, in another worker's hands or not in its turn."""
    if freezing.perform(freezing_id):
        _send_next(Freezing, freezing_id)


@app.task(derived=True)
def prepare_comparison_files(run_id):
    """Draw a finished comparison for its HTML and Word files, so that nobody waits for them."""
    rendered_cache.prepare(run_id)


def start_comparison(*, access, plan, cohort, frozen=None):
    """Request a comparison and send it to a worker once the request is committed. Raises PermissionDenied."""
    return send(runs.request(access=access, plan=plan, cohort=cohort, frozen=frozen))


def repeat_comparison(*, access, run):
    """Send a run once more and return it, or the new one that repeats a finished run. Raises PermissionDenied."""
    return send(runs.again(access=access, run=run))


def repeat_freezing(*, access, asked):
    """Send a freezing once more that failed or was cancelled. Raises PermissionDenied and InvalidLabel."""
    return send(freezing.again(access=access, freezing=asked))


@app.task(derived=True)
def count_cohort(cohort, person_id):
    """Count how many patients each step of a cohort (as JSON) takes out, for the page of the person who looks at it."""
    with everything(user_id=person_id, reason="cohort counted"):
        cohort_flows.keep(FlowOf(cohorts.from_json(cohort)), person_id)


@app.task
def list_cohort(behind, person_id):
    """List the patients behind a number of a flow (a `Behind` as JSON), for the page of the person who looks at it."""
    with everything(user_id=person_id, reason="cohort listed"):
        cohort_flows.keep(Behind.from_json(behind), person_id)


@app.task(derived=True)
def preview_export(asked, person_id):
    """Count what an export would have (a `PreviewOf` as JSON), for the page of the person who looks at it."""
    with entered(PreviewOf.scope(asked, person_id)):
        cohort_flows.keep(PreviewOf.from_json(asked), person_id)


def cohort_flow(cohort, *, access):
    """The Flow of a cohort, or None while a worker counts it, as in a large registry. Raises PermissionDenied."""
    access.require(Can.COMPARE)
    return _counted(FlowOf(cohort), count_cohort, access)


def cohort_patients(behind, *, access):
    """The Listed of a Behind, not older than some minutes; None while a worker lists. Raises PermissionDenied."""
    access.require(Can.COMPARE)
    access.require(Can.READ)
    listed = _counted(behind, list_cohort, access)
    return None if listed is None or listed.is_old else listed


def export_preview(choices, *, access):
    """The Preview of some Choices for the sites that one exports; None while a worker counts. PermissionDenied."""
    access.require(Can.EXPORT)
    asked = PreviewOf(choices, access.sites_for(Can.EXPORT), access.is_blind, access.hidden_names)
    return _counted(asked, preview_export, access)


def _counted(question, task, access):
    if not cohort_flows.is_large():
        return question.count()
    flow = cohort_flows.stored(question)
    if (flow and not flow.is_old) or not cohort_flows.wish(question, access.user_id):
        return flow
    sent = task.delay(question.to_json(), access.user_id)
    return flow if sent else cohort_flows.keep(question, access.user_id)


@app.task
def run_export(export_id):
    """Carry out one export; nothing if it is done, cancelled, in another worker's hands or not in its turn."""
    if exports.perform(export_id):
        _send_next(Export, export_id)


def start_export(*, access, choices):
    """Ask for an export and send it to a worker once the request is committed. PermissionDenied, InvalidChoices."""
    return send(exports.request(access=access, choices=choices))


def repeat_export(*, access, export):
    """Send an export once more that failed. Raises PermissionDenied."""
    return send(exports.again(access=access, export=export))


@app.task
def run_erasing(erasing_id):
    """Carry out one erasure that was asked for; nothing if it is done, withdrawn or in another worker's hands."""
    if erasings.perform(erasing_id):
        exports.expire()


def erase_patient(*, access, patient, extent, typed, reason):
    """Ask for an erasure, which is carried out at once or, where somebody holds the record, by a worker after that.

    Afterwards the files that may hold the patient are taken away. Returns the Erasing, which is gone from the database
    once all is erased. Raises as `services.operations.erasure.erase`.
    """
    asked = erasings.request(access=access, patient=patient, extent=extent, typed=typed, reason=reason)
    if not erasings.perform(asked.pk, at_once=True):
        return send(asked)
    transaction.on_commit(exports.expire, robust=True)
    return asked


def repeat_erasing(*, access, asked):
    """Send an erasure once more that failed. Raises PermissionDenied."""
    return send(erasings.again(access=access, asked=asked))


@app.task
def run_import(import_id):
    """Carry out what one import is queued for; nothing if it is decided, in another worker's hands or not its turn."""
    if job := imports.perform(import_id, in_turn=True):
        _follow_up(job)
        _send_next(Import, import_id)


def carry_out_import(job, act, **fields):
    """Have an import checked, stored or undone: a small one at once, a large one by a worker after the commit.

    Nothing where another request was quicker; the row says what came of it.
    """
    if not imports.request(job, act, **fields):
        return
    if not imports.is_small(job, act):
        send(job)
    elif performed := imports.perform(job.pk):
        _follow_up(performed)


def _follow_up(job):
    if job.status == job.Status.DONE:
        transaction.on_commit(start_all_outcomes, robust=True)


CARRIED_OUT_BY = {
    ComparisonRun: run_comparison,
    Erasing: run_erasing,
    Export: run_export,
    Freezing: run_freezing,
    Import: run_import,
}
RECOVERED_BY = {
    ComparisonRun: runs.recover,
    Erasing: erasings.recover,
    Export: exports.recover,
    Freezing: freezing.recover,
    Import: imports.recover,
}


@app.task
def sweep():
    """Do what lost tasks left undone: jobs that lost their worker, and outcomes of what was saved lately.

    What could not be sent while the broker was away comes first. What was lost longer ago, with the broker's data, is
    found by the hourly `compute_all_outcomes`.
    """
    with suppress(OSError):  # a store that cannot be written is what the check-up tells
        shared_folder.mark()
    with suppress(OperationalError):
        postponed.send_all(_send_now)
    for model, recover in RECOVERED_BY.items():
        for job_id in recover():
            CARRIED_OUT_BY[model].delay(str(job_id))
    _expire_exports()
    uploads.forget_old()
    isolated.remove_left()
    compute_awaited_outcomes()  # whose message was lost
    with everything(reason="outcomes computed"), transaction.atomic():
        computed = outcomes.compute_lately()
    if not computed:
        compute_all_outcomes()


def _expire_exports():
    try:
        exports.expire()
    except OSError:  # it is done the next time; what else the sweep does must not wait for a store
        logger.exception("exports were not taken away")


def _send_now(task, args, kwargs):
    if app.tasks[task].delay(*args, **kwargs) is None:
        raise OperationalError("the broker is away again")


def purge(dry_run=False):
    """Delete what the retention settings no longer keep; returns what went (or would) to how many rows."""
    files = {} if dry_run else {"files of exports": exports.expire(), "files of imports": uploads.forget_old()}
    with everything(reason="purge_expired"), transaction.atomic():
        return files | retention.purge([*retention.old_access(), exports.old_records()], dry_run)


@app.task
def purge_expired():
    """As the command of this name."""
    purge()


@app.task
def look_for_pairs():
    """Ask the data manager about records of two sites that may be one patient."""
    with everything(reason="look_for_pairs"), transaction.atomic():
        suspected_pairs.look()


@app.task
def keep_counts():
    """Count for the pages of a large registry what they do not count themselves."""
    with everything(), transaction.atomic():
        site_counts.keep()
        known.keep()


@app.task(derived=True)
def count_scorecards():
    """Count each site against the network, for the scorecards."""
    with everything(), transaction.atomic():
        scorecards.count()


def start_scorecards():
    """Have the scorecards counted now, where they never were; once a minute, however often a page asks."""
    if cache.add("scorecards-asked-for", True, 60):
        count_scorecards.delay()


@app.task
def send_scorecards():
    """Tell the sites' own people once a month that the scorecard is there. Nothing without mail."""
    if not settings.MAIL:
        return
    with everything(reason="scorecards"), transaction.atomic():
        for subject, body, to in scorecard_letters.letters(timezone.localdate()):
            start_mail(subject, body, to)


@app.task
def forget_api_answers():
    """Answers kept for requests that are sent again are forgotten after a day."""
    with everything(), transaction.atomic():
        tokens.forget_answers()


@app.task
def forget_drafts():
    """Drafts that nobody went on with are forgotten."""
    with everything(), transaction.atomic():
        drafts.forget_old()


@app.task
def send_digests():
    """Tell everybody what waits, in an e-mail each, from the hour of the installation on. Nothing without mail."""
    if not settings.MAIL or not digests.hour_has_come():
        return
    today = timezone.localdate()
    for user_id in digests.recipients(today).values_list("pk", flat=True):
        send_digest.delay(user_id, today.isoformat())


@app.task
def send_digest(user_id, day):
    """One person's e-mail of one day. One that fails is logged, holds up nobody's, and comes with the next round.

    What waited for a worker until another day is not sent: that day has its own.
    """
    if (today := date.fromisoformat(day)) == timezone.localdate():
        digests.deliver(user_id, today)


@app.task
def seal_audit():
    """Seal what is new in the audit trail. The log keeps each hash too, outside the database.

    Guards that were dropped since the servers started are told of within these five minutes.
    """
    if differing := checking.looked():
        _alarm("guards_changed", checking.listed(differing))
    try:
        for seal in sealing.seal():
            logger.info("audit seal %d over %d events: %s", seal.number, seal.count, seal.hash.hex())
            _send_seal(seal)
    except (sealing.HistoryLost, OSError, DatabaseError) as error:
        _alarm("sealing_refused", str(error))
    except Exception as fault:
        alerts.sealing_stopped(type(fault).__name__)
        raise


@app.task
def verify_audit(whole=False):
    """Verify what came to the audit trail since it held last, or all of it and every record by it.

    What is found is in the log and in the trail.
    """
    report = sealing.verify(new_only=not whole)
    lines = [str(finding) for finding in report.findings]
    if whole:
        lines += [str(cell) for _table, _rows, cells in record_replay.verify() for cell in islice(cells, TOLD)]
    if lines:
        _alarm("verification_failed", "; ".join(lines[:TOLD]))


def _send_seal(seal):
    """The first seal of a day goes to whom METASPINE_SEAL_MAIL names: a mailbox is out of the database's reach too."""
    for address in settings.SEAL_MAIL if settings.MAIL else ():
        if cache.add(
            f"seal-mail-{timezone.localdate()}-{hashlib.sha256(address.encode()).hexdigest()[:16]}", True, 2 * 86400
        ):
            start_mail(
                f"Metaspine: audit seal {seal.number}",
                f"Keep this message. / このメールを保存してください。\n\nseal {seal.number}: {seal.hash.hex()}\n\n"
                f"manage.py verify_audit --expect {seal.hash.hex()}\n",
                address,
            )


def _alarm(act, text, table=sealing.SEALS):
    """A line in the log each time, an act in the trail once an hour."""
    logger.critical("%s: %s", act, text)
    if cache.add(f"alarm-{act}", True, 3600):
        audit.record(act, table=table, detail={"what": text[:500]})


@app.task
def alert_administrators():
    """Tell administrators by mail what was refused, once for each kind and hour; on their pages it stands anyway."""
    if alerts.is_sealing_behind():
        seal_audit()  # a worker that was just started has had no time for it
        alerts.sealing_stopped()
    with everything(reason="alerts"), transaction.atomic():
        for due in alerts.due():
            for subject, body, to in alert_letters.letters(due):
                start_mail(subject, body, to)


@app.task(derived=True)
def tell_of_serious_events():
    """Tell the people whom the study names of serious adverse events: by mail, tried again until it went out.

    It looks at what is stored, so that a form, the API and an import all lead to it. A mail that fails again and again
    alerts administrators; the line listing shows it all the while.
    """
    failed = safety.tell(timezone.now())
    if failed:
        _alarm("safety_mail_failed", f"{failed} notices of serious adverse events", table="registry_safetynotice")


@app.task
def watch_backups():
    """An alarm where the newest backup is too old or could not be restored: the service `backup` may be down."""
    if late := backup_keeping.overdue(timezone.now()):
        _alarm("backup_overdue", late, table=BackupRecord._meta.db_table)


@app.task
def forget_attempts():
    """Attempts that count no more are forgotten."""
    attempts.forget()


@app.task(autoretry_for=(OSError,), retry_backoff=30, max_retries=6)
def send_mail(sealed):
    """One mail, tried again for about half an hour while the mail server cannot be reached."""
    subject, body, to = json.loads(field_keys.deployment_cipher().decrypt(sealed.encode()))
    brand = branding.current()
    mail.send_mail(brand.said(subject), brand.signed(body), None, [to])


def start_mail(subject, body, to):
    """Have a mail sent once what it speaks of is committed; nothing without a mail server.

    It may hold a link that is a secret: the broker, which keeps messages on its disk, and whoever lists a worker's
    tasks see only that there is one.
    """
    if not settings.MAIL:
        return
    sealed = field_keys.deployment_cipher().encrypt(json.dumps([str(subject), body, to]).encode()).decode()
    transaction.on_commit(lambda: send_mail.delay(sealed), robust=True)
