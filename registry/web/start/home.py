"""The start page: what waits at the own site, the most valuable first and why; central roles see it by site."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from registry.instruments import catalogue
from registry.instruments.base import Label
from registry.instruments.patient_forms import FINISHED_FORMS
from registry.models import Assessment, Patient, QueryForm, State
from registry.services.entry import patient_links
from registry.services.follow_up import schedule, visits
from registry.services.operations import site_counts
from registry.services.review import form_states
from registry.services.review.queries import form_of
from registry.services.row_addresses import address_of
from registry.services.study import consents
from registry.web.entry import drafts as typed_drafts
from registry.web.review import query_words
from registry.web.shared import identified, wording
from registry.web.shared.lookup import TELLING_OF_FORMS, form_state
from registry.web.shared.record_words import assessment_url, form_url
from registry.web.start import central, day_rows
from sites.audit import alerts
from sites.database.fast_rows import rows_of
from sites.models import Membership, Site, User
from sites.tenancy.access import Can

SHOWN = 30  # lines of each list; beyond that the grid is the better place
CLOSING = 30  # days left
BEHIND, KEPT_BEHIND = "visits_behind", 100  # in the session: who stood behind whom `next_visit` led to


@require_safe
def home(request):
    access = request.access
    if not access.may(Can.READ):
        return render(request, "start/home_admin.html", _administration() if access.may(Can.ADMINISTER) else {})
    plans, today = schedule.plans(), timezone.localdate()
    enters = access.sites_for(Can.ENTER)
    by_site = access.is_central or not enters or len(access.sites_for(Can.READ)) > 1
    context = {"sites": _by_site(access, plans, today, whole=by_site), "by_site": by_site, "enters": bool(enters)}
    context["central"] = central.of(access)
    if enters:
        context |= {
            "work": _work(enters, plans, today),
            "drafts": _drafts(enters),
            "queries": _queries(enters),
            "arrived": _arrived(enters),
            "consents": _consents(enters, today),
            "typed": typed_drafts.lines(access, SHOWN),
            "drafting": typed_drafts.script_settings(request),
        }
        beside = context["identified"] = identified.beside(request, _named(context))
        context["work_rows"] = day_rows.work(context["work"]["lines"], beside)
        context["draft_rows"] = day_rows.drafts(context["drafts"]["lines"], beside)
    if by_site:
        context["site_rows"] = day_rows.by_site(context["sites"]["lines"])
    return render(request, "start/home.html", context)


def _named(context):
    """The numbers of the patients whom the page names."""
    lines = [*context["drafts"]["lines"], *context["queries"], *context["arrived"]]
    due = context["consents"]["numbers"] if context["consents"] else []
    return [line["patient_id"] for line in lines] + due + [line.visit.patient_id for line in context["work"]["lines"]]


# -- Visits that wait ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One visit that waits, and why it stands where it does."""

    visit: visits.Awaited
    label: str
    state: str
    days_left: int
    unknown: visits.Unknown | None
    today: date

    @cached_property
    def address(self):
        return assessment_url(self.visit.patient_id, self.visit.code)

    @property
    def closing_soon(self):
        return self.days_left <= visits.CLOSING_SOON

    @property
    def order(self):
        """What may be lost this week, this month, later; in each, first where least is known, then what closes first.

        A visit is worth the more the fewer values its timepoint has, and nothing once it can no longer be made.
        """
        band = sum(self.days_left > days for days in (visits.CLOSING_SOON, CLOSING))
        return band, -self.unknown.share if self.unknown else 0, self.days_left, self.visit.patient_id, self.visit.code

    @property
    def when(self):
        """“Window closes in 3 days”."""
        days = self.days_left
        if self.state == "due":
            if days == 0:
                return _("Window closes today")
            if days <= CLOSING:
                return ngettext("Window closes in %(n)s day", "Window closes in %(n)s days", days) % {"n": days}
            return _("Window closes on %(day)s") % {"day": wording.day(self.visit.last)}
        since = (self.today - self.visit.last).days
        closed = ngettext("Window closed %(n)s day ago", "Window closed %(n)s days ago", since) % {"n": since}
        if days == 0:
            return _("%(closed)s; counts as missed from tomorrow") % {"closed": closed}
        missed = ngettext("counts as missed in %(n)s day", "counts as missed in %(n)s days", days + 1) % {"n": days + 1}
        return _("%(closed)s; %(missed)s") % {"closed": closed, "missed": missed}

    @cached_property
    def why(self):
        """“EQ VAS at 1 month is unknown for 16 of 90”; nothing where every value is known."""
        if self.unknown is None or not self.unknown.unknown:
            return ""
        sentence = _BEFORE_SURGERY if self.visit.code == schedule.BASELINE else _AT_TIMEPOINT
        return sentence % {
            "measure": _measure(self.unknown.measure),
            "timepoint": self.label,
            "unknown": self.unknown.unknown,
            "reached": self.unknown.reached,
        }


_BEFORE_SURGERY = gettext_lazy("%(measure)s before surgery is unknown for %(unknown)s of %(reached)s")
_AT_TIMEPOINT = gettext_lazy("%(measure)s at %(timepoint)s is unknown for %(unknown)s of %(reached)s")
_SHORT = {"eq5d_state": Label("HSUV", "HSUV"), "barthel_total": catalogue.BARTHEL.title}


def _measure(name):
    """What a measure is called in a line: HSUV needs the whole state."""
    return wording.words(_SHORT[name] if name in _SHORT else catalogue.item(name).label)


def _waiting(sites, plans, today):
    """(the Lines of visits due and overdue, the most valuable first; when what is known was counted, None for now)."""
    waiting = visits.awaited(sites, plans, today)
    known = site_counts.counts("known", sites, plans, today) if waiting else site_counts.Counted({})
    unknown = visits.least_known(known.by_site.values())
    labels = {timepoint.code: wording.words(timepoint.label) for timepoint in plans.timepoints}
    lines = (
        Line(line, labels[line.code], line.state(today), line.days_left(today), unknown.get(line.code), today)
        for line in waiting
    )
    return sorted(lines, key=lambda line: line.order), known.at


def _work(sites, plans, today):
    """What waits, the first of it: {"lines": [...], "due", "overdue", "closing": counts, "counted_at": of why}."""
    lines, counted_at = _waiting(sites, plans, today)
    overdue = sum(line.state == "overdue" for line in lines)
    return {
        "lines": lines[:SHOWN],
        "overdue": overdue,
        "due": len(lines) - overdue,
        "closing": sum(line.closing_soon for line in lines),
        "total": len(lines),
        "more": len(lines) > SHOWN,
        "counted_at": counted_at if any(line.why for line in lines[:SHOWN]) else None,
    }


@require_safe
def next_visit(request):
    """To the first visit of the patient who follows `after` on My day, behind the last one the first again; to My day
    where nobody else waits. So those who stand first and cannot be seen today keep nobody from the others.

    The session keeps who stood behind: once the visit of `after` is done, nothing on My day tells that any more.
    """
    request.access.require(Can.ENTER)
    lines, _at = _waiting(request.access.sites_for(Can.ENTER), schedule.plans(), timezone.localdate())
    addresses = {line.visit.patient_id: line.address for line in reversed(lines)}  # of each the first line
    order = list(dict.fromkeys(line.visit.patient_id for line in lines))
    after, (led_to, behind) = request.GET.get("after"), request.session.get(BEHIND, (None, ()))
    place = order.index(after) if after in addresses else -1
    if place == -1 and after == led_to:
        place = next((order.index(number) for number in behind if number in addresses), 0) - 1
    following = order[place + 1 :] + order[: place + 1]
    following = [number for number in following if number != after]
    if not following:
        return redirect("home")
    request.session[BEHIND] = (following[0], following[1 : KEPT_BEHIND + 1])
    return redirect(addresses[following[0]])


# -- Forms to finish, queries to answer --------------------------------------------------------------------------------


def _drafts(sites):
    """Forms that were begun and not completed, the last touched first."""
    wanted = [list(sites), SHOWN + 1]
    of_visits = rows_of(Assessment).only(("patient_id", "timepoint_id", "updated_at")).where(_DRAFT_VISITS, wanted)
    own = rows_of(Patient).only(("patient_id", "updated_at", *TELLING_OF_FORMS)).where(_DRAFTS_OF_PATIENTS, wanted)
    begun = [(visit.updated_at, visit.patient_id, visit.timepoint_id, "draft") for visit in of_visits]
    begun += [
        (patient.updated_at, patient.patient_id, form, state)
        for patient in own
        for form in FINISHED_FORMS
        if (state := form_state(patient, form)) in ("draft", "empty")
    ]
    begun.sort(key=lambda form: form[0], reverse=True)
    labels = schedule.labels() if of_visits else {}
    return {"lines": [_draft(*form, labels) for form in begun[:SHOWN]], "more": len(begun) > SHOWN}


_DRAFT_VISITS = f"site_id = ANY (%s) AND state = '{State.DRAFT}' ORDER BY updated_at DESC LIMIT %s"
_DRAFTS_OF_PATIENTS = f"""site_id = ANY (%s) AND (baseline_state = '{State.DRAFT}' OR surgery_state = '{State.DRAFT}')
    ORDER BY updated_at DESC LIMIT %s"""


def _draft(at, patient_id, form, state, labels):
    """The line of a form: one of the patient's own, or the assessment of a timepoint."""
    of_patient = form in FINISHED_FORMS
    return {
        "patient_id": patient_id,
        "label": QueryForm(form).label if of_patient else labels[form],
        "address": address_of(f"patient_{form}", patient_id) if of_patient else assessment_url(patient_id, form),
        "state": state,
        "at": at,
    }


def _arrived(sites):
    """Answers of patients that wait to be taken over, the oldest first."""
    links = patient_links.arrived(sites, SHOWN)
    labels = schedule.labels() if links else {}
    return [
        {
            "patient_id": link.patient_id,
            "label": labels[link.timepoint],
            "address": reverse("patient_link_review", args=[link.pk]),
            "at": link.submitted_at,
        }
        for link in links
    ]


def _consents(sites, today):
    """Patients whom a newer version of the consent form asks again: {"version", "lines", "more"}; None for nobody."""
    version, numbers = consents.due(sites, today, SHOWN + 1)
    return {"version": version, "numbers": numbers[:SHOWN], "more": len(numbers) > SHOWN} if numbers else None


def _queries(sites):
    """Open queries that wait for an answer, the oldest first: on their forms, to be corrected or explained there."""
    return [
        {
            "patient_id": query.patient_id,
            "address": f"{form_url(query.patient_id, form_of(query))}#query-{query.pk}",
            "text": query_words.question(query),
            "at": query.raised_at,
        }
        for query in form_states.queries_to_answer(sites, SHOWN)
    ]


# -- By site -----------------------------------------------------------------------------------------------------------


def _by_site(access, plans, today, *, whole):
    """One line a site: enrolment against target and, if `whole`, what waits there; and the sum of all."""
    ids = access.sites_for(Can.READ)
    kinds = ("enrolled", "waiting", "drafts", "queries") if whole else ("enrolled",)
    counted = site_counts.several(kinds, ids, plans, today)
    lines = []
    for site in Site.of(ids):
        of_site = {kind: counted[kind].by_site.get(site.pk) for kind in kinds}
        line = {"site": site, "target": site.enrolment_target}
        line |= dict(zip(("enrolled", "operated", "died"), of_site["enrolled"] or (0, 0, 0), strict=True))
        line |= dict(zip(("due", "overdue"), of_site.get("waiting") or (0, 0), strict=True))
        line |= {kind: of_site.get(kind) or 0 for kind in ("drafts", "queries")}
        lines.append(line | {"percent": _percent(line)})
    summed = ("enrolled", "operated", "died", "due", "overdue", "drafts", "queries")
    total = {key: sum(line[key] for line in lines) for key in summed}
    targets = [line["target"] for line in lines]
    total["target"] = sum(targets) if targets and all(targets) else None
    total["percent"] = _percent(total)
    return {
        "lines": lines,
        "total": total,
        "counted_at": min((count.at for count in counted.values() if count.at), default=None),
    }


def _percent(line):
    return round(100 * line["enrolled"] / line["target"]) if line["target"] else None


# -- Administrators ----------------------------------------------------------------------------------------------------


def _administration():
    """What an administrator keeps in order: sites, people, the schedule. Nothing of any patient."""
    plans, today = schedule.plans(), timezone.localdate()
    running = Membership.objects.running(today)
    return {
        "refusals": alerts.lately(timezone.now() - timedelta(days=1)),
        "sealing_behind": alerts.is_sealing_behind(),
        "sites": Site.objects.count(),
        "people": User.objects.filter(is_active=True).count(),
        "without_role": User.objects.filter(is_active=True).exclude(pk__in=running.values("user")).count(),
        "without_people": Site.objects.exclude(pk__in=running.exclude(site=None).values("site")).count(),
        "schedule_since": [version for version in plans.versions if version.effective_from <= today][-1].effective_from,
        "schedule_next": next(
            (version.effective_from for version in plans.versions if version.effective_from > today), None
        ),
    }
