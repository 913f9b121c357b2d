"""The system page: the check-up of `manage.py doctor`, what waits in the background, and what failed."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from registry import tasks
from registry.health import background_jobs
from registry.health.checkup.declared import CHECKS
from registry.health.checkup.findings import FAILED, NOTE, OFF, OK, WARNING, Looking, examine, scope, worst
from registry.health.checkup.words import QUEUES, task_words
from registry.health.checkup.work import recurring
from registry.models import BackupRecord
from registry.services.files.snapshots import InvalidLabel
from registry.web.shared import cells
from registry.web.shared.cells import escape
from registry.web.shared.wording import words
from sites import audit
from sites.confirming import confirmed
from sites.database.fast_rows import rows_of
from sites.tenancy.access import Can, access_of
from sites.tenancy.scope import current, everything

WORDS = {
    OK: gettext_lazy("In order"),
    NOTE: gettext_lazy("Worth knowing"),
    WARNING: gettext_lazy("Look at this"),
    FAILED: gettext_lazy("Wrong"),
    OFF: gettext_lazy("Not in use"),
}
SHAPES = {OK: "verified", NOTE: "due", WARNING: "draft", FAILED: "query", OFF: "empty"}  # of static/states.svg
KINDS = {
    "comparison": gettext_lazy("Comparison"),
    "erasure": gettext_lazy("Erasure"),
    "export": gettext_lazy("Export"),
    "import": gettext_lazy("Import"),
    "snapshot": gettext_lazy("Snapshot"),
}
SHOWN = 50


@require_safe
def system_page(request):
    """Every part of the installation, for administrators. Of jobs who asked and when, never what is in them."""
    request.access.require(Can.ADMINISTER)
    looking = Looking(request)
    with scope():
        examined = examine(CHECKS, looking)
        waiting, failed = looking.jobs
        backups = rows_of(BackupRecord).where("true ORDER BY began_at DESC LIMIT 10", [])
    context = {
        "written": cells.joined(_written(check, finding) for check, finding, _took in examined),
        "worst": worst(examined),
        "queues": [(QUEUES[name], n) for name, n in (looking.queues or {}).items()],
        "waiting": _worded(waiting),
        "failed": _worded(failed),
        "backups": backups,
        "tasks": [(name, task_words(name)) for name in sorted(recurring())],
    }
    return render(request, "system/system.html", context)


def _written(check, finding):
    """The row of a check as HTML: a template takes several times longer for it."""
    more = "".join(f"<li>{escape(line)}</li>" for line in finding.more)
    if more:
        more = f"<details><summary>{escape(_('More'))}</summary><ul>{more}</ul></details>"
    return (
        f'<tr id="check-{check.name}"><th scope="row">{escape(check.title)}</th><td class="nowrap">'
        f'<span class="state state-{SHAPES[finding.state]}">{escape(WORDS[finding.state])}</span></td>'
        f"<td>{escape(finding.text)}{more}</td></tr>"
    )


def _worded(jobs):
    return [(KINDS[job.kind], job) for job in jobs[:SHOWN]]


@require_POST
@confirmed
def system_retry(request):
    """A failed job but an import is carried out once more for whoever asked, or a recurring task runs now."""
    request.access.require(Can.ADMINISTER)
    kind, key = request.POST.get("kind", ""), request.POST.get("key", "")
    if kind == "task":
        _run_now(key)
    elif kind in _AGAIN:
        try:
            _again(kind, key)
        except PermissionDenied:
            messages.error(request, _("Whoever asked for this may no longer do it."))
            return redirect("system")
        except InvalidLabel as taken:
            messages.error(request, words(taken.reason))
            return redirect("system")
    else:
        raise Http404
    messages.success(request, _("Sent to a worker."))
    return redirect("system")


_AGAIN = {
    "comparison": lambda access, job: tasks.repeat_comparison(access=access, run=job),
    "erasure": lambda access, job: tasks.repeat_erasing(access=access, asked=job),
    "export": lambda access, job: tasks.repeat_export(access=access, export=job),
    "snapshot": lambda access, job: tasks.repeat_freezing(access=access, asked=job),
}


def _again(kind, key):
    model = background_jobs.KINDS[kind]
    with everything(user_id=current().user_id, reason="retry"), transaction.atomic():
        try:
            job = model.objects.select_related("requested_by").get(pk=key, status="failed")
        except (model.DoesNotExist, ValidationError):
            raise Http404 from None
        if job.requested_by is None:
            raise PermissionDenied
        _AGAIN[kind](access_of(job.requested_by), job)
        audit.record("job_retried", table=model._meta.db_table, row_id=job.pk)


def _run_now(name):
    if name not in recurring():
        raise Http404
    getattr(tasks, name).delay()
    audit.record("task_started", detail={"task": name})
