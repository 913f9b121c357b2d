"""The scorecard of one's own site against the network without names: on the page, and as PDF."""

from dataclasses import dataclass

from django.conf import settings
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from registry.exports import pdf
from registry.instruments import variables
from registry.services.quality import scorecards
from registry.tasks import start_scorecards
from registry.web.shared import wording
from registry.web.shared.transfers import pdf_file
from sites import audit
from sites.models import Site
from sites.moments import day_of
from sites.tenancy.access import Can

WIDTH, HEIGHT, STEPS = 600, 220, 60


@dataclass(frozen=True)
class Funnel:
    """Points and lines in a box of WIDTH × HEIGHT: other sites, the own one, the network's share, the limits."""

    others: list[tuple[float, float]]
    own: tuple[float, float] | None
    target: float
    limits: dict[str, tuple[str, str]]
    most: int
    low: int
    high: int


def words():
    return {
        "in_window": _("Visits made in their window"),
        "forms_whole": _("Finished assessments without a missing value"),
        "event_30": _("Adverse event within 30 days of surgery"),
        "death_90": _("Death within 90 days of surgery"),
    }


def own_site(request):
    """(the site whose scorecard is shown, all that one may choose): of those where one enters data, for nobody else."""
    sites = Site.of(request.access.sites_for(Can.ENTER))
    if not sites:
        raise Http404
    chosen = request.GET.get("site", "")
    return next((site for site in sites if site.code == chosen), sites[0]), sites


@require_safe
def scorecard(request):
    """Each measure of the own site: its share, the funnel, and outcomes as observed against expected."""
    site, sites = own_site(request)
    counted = scorecards.network()
    if counted is None:
        start_scorecards()
    measures = scorecards.measures(counted, site.pk) if counted else []
    return render(
        request,
        "quality/scorecard.html",
        {
            "site": site,
            "sites": sites if len(sites) > 1 else [],
            "counted": counted,
            "lines": [_line(measure) for measure in measures],
            "inputs": _inputs(),
            "fewest": scorecards.FEWEST,
        },
    )


def _inputs():
    return wording.listed(wording.words(variables.get(name).label) for name in scorecards.INPUTS)


def _line(measure):
    adjusted = measure.adjusted
    shown = measure.own is not None and measure.own.n >= scorecards.FEWEST
    return {
        "measure": measure,
        "title": words()[measure.code],
        "shown": shown,
        "percent": measure.own and measure.own.n and round(measure.own.percent),
        "network": None if measure.target is None else round(100 * measure.target),
        "verdict": _verdict(measure),
        "funnel": funnel(measure) if measure.others else None,
        "is_outcome": measure.code in scorecards.OUTCOMES,
        "ratio": adjusted and adjusted.n >= scorecards.FEWEST and adjusted.ratio,
        "expected": adjusted and round(adjusted.expected, 1),
    }


def _verdict(measure):
    if measure.target is None:
        return _("Too few other sites to compare with.")
    if measure.beyond is None:
        return _("Too few to say.")
    if not measure.beyond:
        return _("Within what chance does (95 % limits).")
    if measure.beyond == "95":
        return _("Beyond the 95 % limits, within those of 99.8 %.")
    return _("Beyond the 99.8 % limits: hardly chance alone.")


def funnel(measure):
    """The `Funnel` of a measure: share against size, with exact limits for each size."""
    sizes = [n for n, _k in measure.others] + ([measure.own.n] if measure.own else [])
    most = max(sizes)
    shares = [100 * k / n for n, k in measure.others if n] + [100 * measure.target]
    if measure.own and measure.own.n:
        shares.append(measure.own.percent)
    low = max(0, int(min(shares)) // 10 * 10 - 10)
    high = min(100, -(-int(max(shares) + 1) // 10) * 10 + 10)

    def point(n, percent):
        clipped = min(high, max(low, percent))
        return round(WIDTH * n / most, 1), round(HEIGHT - HEIGHT * (clipped - low) / (high - low), 1)

    lines = {level: ([], []) for level in scorecards.TAILS}
    for n in sorted({max(1, round(most * step / STEPS)) for step in range(1, STEPS + 1)}):
        for level, ends in measure.limits(n).items():
            for line, k in zip(lines[level], ends, strict=True):
                line.append(point(n, 100 * k / n))
    return Funnel(
        [point(n, 100 * k / n) for n, k in measure.others],
        point(measure.own.n, measure.own.percent) if measure.own and measure.own.n >= scorecards.FEWEST else None,
        point(0, 100 * measure.target)[1],
        {level: tuple(" ".join(f"{x},{y}" for x, y in line) for line in both) for level, both in lines.items()},
        most,
        low,
        high,
    )


@require_safe
def scorecard_pdf(request):
    """The same as PDF; that it was made is on record. The monthly mail leads here, past the sign-in."""
    site, _sites = own_site(request)
    counted = scorecards.network()
    if counted is None:
        return redirect("scorecard")
    lines = [_line(measure) for measure in scorecards.measures(counted, site.pk)]
    title = _("Scorecard of %(site)s") % {"site": f"{site.code} {wording.site_name(site)}"}
    content = pdf.document(title, _foot(counted), _blocks(lines), get_language())
    audit.record("scorecard_downloaded", site_id=site.pk)
    return pdf_file(f"metaspine-scorecard-{site.code}-{day_of(counted.at)}.pdf", content)


def _foot(counted):
    foot = _("Counted %(at)s") % {"at": wording.moment(counted.at)}
    return f"{foot} · {_('Demonstration data: synthetic patients')}" if settings.SYNTHETIC else foot


def _blocks(lines):
    yield pdf.Paragraph(
        _("The other sites stand here without their names, and only those with at least %(n)s patients or visits.")
        % {"n": scorecards.FEWEST}
    )
    yield from (pdf.Together(list(_of_measure(line))) for line in lines)
    yield pdf.Paragraph(_("Case mix: %(inputs)s.") % {"inputs": _inputs()} + " " + warning())


def _of_measure(line):
    yield pdf.Heading(line["title"])
    measure = line["measure"]
    if line["shown"]:
        yield pdf.Paragraph(
            _("Your site: %(k)s of %(n)s (%(percent)s %%).")
            % {"k": measure.own.k, "n": measure.own.n, "percent": line["percent"]}
            + f" {_network(line)}{line['verdict']}"
        )
    else:
        yield pdf.Paragraph(_("Your site has too few patients for a number."))
    if line["ratio"]:
        ratio, low, high = (f"{value:.2f}" for value in line["ratio"])
        yield pdf.Paragraph(
            _(
                "Observed %(observed)s, expected by case mix %(expected)s: ratio %(ratio)s "
                "(95 %% interval %(low)s to %(high)s)."
            )
            % {
                "observed": measure.adjusted.observed,
                "expected": line["expected"],
                "ratio": ratio,
                "low": low,
                "high": high,
            }
        )
    if line["funnel"]:
        yield pdf.Funnel(line["funnel"], WIDTH, HEIGHT, _axis(line["funnel"]))


def _network(line):
    return "" if line["network"] is None else _("Network: %(network)s %%.") % {"network": line["network"]} + " "


def _axis(drawn):
    return _("%(low)s to %(high)s %%, by size up to %(most)s") % {
        "low": drawn.low,
        "high": drawn.high,
        "most": drawn.most,
    }


def warning():
    return _(
        "What is not among these may differ between sites too: a ratio is a reason to look at one's patients, "
        "not a ranking."
    )
