"""Which queries a list shows: the filters of its address, and the choices for them."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from registry.instruments import spelling
from registry.instruments.timepoints import SCHEDULE
from registry.models import Query, QueryForm, QueryState
from registry.services.review.queries import discussed
from registry.services.review.soft_checks import checks_asked
from registry.web.review.query_words import RULES, rule_in_words
from registry.web.shared.record_words import visit_labels
from sites.models import Site

UNSETTLED, ALL = "unsettled", "all"
PERSON = "person"
AGES = (7, 14, 30, 90)


@dataclass(frozen=True)
class Filters:
    """Every filter as it was asked for; what cannot be read is as if it were not there.

    form  a kind of form or the code of a timepoint; age: raised at least so many days ago
    """

    patient: str = ""
    site: str = ""
    state: str = UNSETTLED
    form: str = ""
    rule: str = ""
    age: int | None = None

    @classmethod
    def of(cls, sent):
        state = sent.get("state", "")
        age = sent.get("age", "")
        return cls(
            patient=spelling.as_code(sent.get("patient", "")).strip().upper()[:40],
            site=sent.get("site", "")[:8],
            state=state if state in (*QueryState.values, ALL) else UNSETTLED,
            form=sent.get("form", "")[:13],
            rule=sent.get("rule", "") if sent.get("rule", "") in (*RULES, PERSON) else "",
            age=int(age) if age in map(str, AGES) else None,
        )

    def as_address(self):
        """The filters that are set, by name, as text."""
        parameters = {name: str(value) for name, value in vars(self).items() if value not in (None, "")}
        return {name: value for name, value in parameters.items() if (name, value) != ("state", UNSETTLED)}


def matching(access, filters):
    """The queries that the filters let through, in no order. The site stands in the condition for its index."""
    queries = Query.objects.visible_to(access).filter(site_id__in=discussed(access))
    if filters.patient:
        queries = queries.filter(patient__patient_id__startswith=filters.patient)
    if filters.site:
        queries = queries.filter(site__code=filters.site)
    if filters.state == UNSETTLED:
        queries = queries.filter(state__in=(QueryState.OPEN, QueryState.ANSWERED))
    elif filters.state != ALL:
        queries = queries.filter(state=filters.state)
    if filters.form in QueryForm.values:
        queries = queries.filter(form=filters.form)
    elif filters.form:
        queries = queries.filter(timepoint_id=filters.form)
    if filters.rule == PERSON:
        queries = queries.filter(rule=None)
    elif filters.rule:
        queries = queries.filter(rule=filters.rule)
    if filters.age is not None:
        queries = queries.filter(raised_at__lt=timezone.now() - timedelta(days=filters.age))
    return queries


def sites_of(access):
    return Site.of(discussed(access))


def _rules(filters):
    """Rules that can find something: not those of extras that are off, unless one is looked for."""
    asked = {check.name for check in checks_asked(SCHEDULE)} | {filters.rule}
    return [code for code in RULES if code in asked]


def choices(access, filters):
    """The drop-downs above the list: (name, label, [(value, words)], chosen value)."""
    sites = sites_of(access)
    forms = [(form.value, form.label) for form in QueryForm] + list(visit_labels().items())
    offered = [
        (
            "state",
            _("State"),
            [("", _("Open or answered")), *QueryState.choices, (ALL, _("All"))],
            "" if filters.state == UNSETTLED else filters.state,
        ),
        ("form", _("Form"), [("", _("All")), *forms], filters.form),
        (
            "rule",
            _("Raised by"),
            [("", _("All")), (PERSON, _("A person")), *((code, rule_in_words(code)) for code in _rules(filters))],
            filters.rule,
        ),
        (
            "age",
            _("Days waiting"),
            [("", _("All")), *((str(days), _("over %(days)s days") % {"days": days}) for days in AGES)],
            "" if filters.age is None else str(filters.age),
        ),
    ]
    if len(sites) > 1:
        offered.insert(0, ("site", _("Site"), [("", _("All")), *((s.code, str(s)) for s in sites)], filters.site))
    return offered
