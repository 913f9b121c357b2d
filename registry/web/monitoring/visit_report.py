"""The report of a monitoring visit: chosen site and days, looked at on the page, taken as PDF."""

import hashlib
from datetime import date, timedelta

from django.conf import settings
from django.http import Http404
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from registry.exports import pdf
from registry.models import Query, QueryMessage
from registry.services.follow_up import schedule
from registry.services.monitoring import visits
from registry.services.operations import site_counts
from registry.services.review.soft_checks import Form
from registry.web.monitoring.sampling import risk_words
from registry.web.review.query_words import lines
from registry.web.shared import wording
from registry.web.shared.record_words import form_label, item_label, visit_labels
from registry.web.shared.transfers import pdf_file
from sites import audit
from sites.models import Site
from sites.tenancy.access import Can

LONGEST = 4000  # characters of remarks


@require_http_methods(["GET", "POST"])
def visit_report(request):
    """What is to be reported, for one site and some days; POST is the PDF, with the remarks that were typed."""
    sites = Site.of(request.access.sites_for(Can.VERIFY))
    if not sites:
        raise Http404
    sent = request.POST if request.method == "POST" else request.GET
    today = timezone.localdate()
    site = next((site for site in sites if site.code == sent.get("site")), sites[0])
    first, last = _day(sent.get("first"), today - timedelta(days=6)), _day(sent.get("last"), today)
    error = _("The first day must not be after the last.") if first > last else ""
    makes_file = request.method == "POST" and not error
    standing = None if makes_file else _kept(site, today)
    visit = visits.visit(site, min(first, last), max(first, last), settings.TIME_ZONE, standing)
    blocks = list(_blocks(visit))
    if makes_file:
        return _file(visit, blocks, request.POST)
    return render(
        request,
        "monitoring/visit_report.html",
        {
            "sites": sites,
            "site": site,
            "first": first,
            "last": last,
            "blocks": _typed(blocks),
            "error": error,
            "counted_at": visit.standing.at,
        },
        status=422 if error else 200,
    )


def _kept(site, today):
    """Where a site stands, as the worker keeps it in a large registry."""
    kinds = ("enrolled", "left_to_verify", "unsigned")
    counted = site_counts.several(kinds, [site.pk], schedule.plans(), today)
    enrolled, left, unsigned = (counted[kind].by_site.get(site.pk) for kind in kinds)
    at = min((counts.at for counts in counted.values() if counts.at), default=None)
    return visits.Standing(enrolled[0] if enrolled else 0, *(left or (0, 0)), unsigned[1] if unsigned else 0, at)


def _day(text, otherwise):
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return otherwise


def _typed(blocks):
    """Blocks for the page: (kind, block)."""
    return [(type(block).__name__.lower(), block) for block in blocks]


def _blocks(visit):
    labels = visit_labels()
    plan = visit.plan
    period = _("%(first)s to %(last)s") % {"first": wording.day(visit.first), "last": wording.day(visit.last)}
    facts = [
        (_("Site"), f"{visit.site.code} {wording.site_name(visit.site)}"),
        (_("Time of the visit"), period),
        (_("Monitor"), visits.reporter()),
        (_("Patients enrolled"), visit.standing.enrolled),
        (_("Forms that the sampling plan still asks about"), visit.standing.asked),
        (_("Complete forms that are not verified"), visit.standing.left),
        (_("Patients with forms to sign"), visit.standing.unsigned),
        (_("Sampling plan"), _plan(plan, visit.site)),
    ]
    compared = [
        (row.patient_id, form_label(Form.of(row.form, labels), labels), row.fields, row.changed or "", row.by)
        for row in visit.compared
    ]
    kinds = dict(QueryMessage.Kind.choices)
    asked = [
        (
            line.query.patient_id,
            f"{line.form} {line.item}".strip(),
            line.question,
            line.query.get_state_display(),
            wording.day(line.query.raised_at),
        )
        for line in lines(_query_rows(visit), labels=labels)
    ]
    yield pdf.Table(("", ""), facts, (0.45, 0.55))
    yield pdf.Heading(_("Compared with the source"))
    yield _or_none(
        (_("Patient"), _("Form"), _("Fields"), _("Changed since"), _("By")),
        compared,
        (0.18, 0.3, 0.1, 0.16, 0.26),
        (2, 3),
    )
    yield pdf.Heading(_("Queries in these days"))
    steps = [(kinds[kind], n) for kind, n in visit.steps.items()]
    yield _or_none((_("Step"), _("How many")), steps, (0.6, 0.4), (1,))
    yield pdf.Heading(_("Queries that are not closed"))
    yield _or_none(
        (_("Patient"), _("About"), _("Query"), _("State"), _("Raised")), asked, (0.14, 0.24, 0.34, 0.12, 0.16)
    )


def _query_rows(visit):
    return Query.objects.filter(pk__in=[query.pk for query in visit.open_queries]).order_by("raised_at", "pk")


def _or_none(head, rows, widths, numbers=()):
    return pdf.Table(head, rows, widths, numbers) if rows else pdf.Paragraph(_("None."))


def _plan(plan, site):
    if not plan.is_declared:
        return _("None is declared: every form is to be verified.")
    return _("of %(since)s: %(items)s on every form; %(share)s %% of the forms whole (risk: %(risk)s)") % {
        "since": wording.day(plan.since),
        "items": wording.listed(item_label(name) for name in plan.critical) or _("no item"),
        "share": plan.share(site.code),
        "risk": risk_words()[plan.risk(site.code)],
    }


def _file(visit, blocks, post):
    remarks, actions = (post.get(name, "").strip()[:LONGEST] for name in ("remarks", "actions"))
    blocks = [
        *blocks,
        pdf.Heading(_("Remarks")),
        pdf.Paragraph(remarks or _("None.")),
        pdf.Heading(_("Actions agreed")),
        pdf.Paragraph(actions or _("None.")),
        pdf.Lines([_("Monitor, date and signature"), _("Investigator, date and signature")]),
    ]
    title = _("Report of a monitoring visit")
    foot = f"{visit.site.code} · {visit.first.isoformat()} – {visit.last.isoformat()}"
    if settings.SYNTHETIC:
        foot += " · " + _("Demonstration data: synthetic patients")
    content = pdf.document(title, foot, blocks, get_language())
    audit.record(
        "visit_report_made",
        site_id=visit.site.pk,
        detail={
            "first": visit.first.isoformat(),
            "last": visit.last.isoformat(),
            "sha256": hashlib.sha256(content).hexdigest(),
        },
    )
    return pdf_file(f"metaspine-visit-{visit.site.code}-{visit.last.isoformat()}.pdf", content)
