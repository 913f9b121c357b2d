"""Sampling plan of source data verification: all of the critical items, and a share of the forms by risk of the site.

A part of the protocol (`monitoring` in its document), so each plan is dated, has its author and reason, and stays.
Which forms are drawn follows from the plan's seed, the patient's number and the form alone: whoever asks when gets the
same forms, and a form that was drawn stays so until the plan changes. Without a plan everything is to be verified.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from registry.instruments import catalogue
from registry.instruments.base import Label
from registry.instruments.patient_forms import FINISHED_FORMS
from registry.models import ProtocolVersion, QueryForm
from registry.protocol.definitions import Fault
from registry.services import current_protocol
from registry.services.protocol import publishing
from registry.services.review.forms import COLUMNS, FormRow
from sites.models import Site
from sites.tenancy.access import Access, Can

PART = "monitoring"
RISKS = ("low", "standard", "high")
SHARES = {"low": 5, "standard": 10, "high": 30}  # per cent of the forms, where nothing else is declared
KINDS = (*FINISHED_FORMS, QueryForm.ASSESSMENT.value, QueryForm.ADVERSE_EVENT.value)
DRAWN_OF = 10_000


@dataclass(frozen=True)
class Plan:
    """A sampling plan. `shares`: risk to per cent of the forms; `risks`: site's code to its risk, where not standard.

    critical  names of the items that are compared on every form
    """

    critical: tuple[str, ...] = ()
    shares: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(RISKS, 100))
    risks: Mapping[str, str] = field(default_factory=dict)
    seed: str = ""
    since: datetime | None = None
    declared_by: str = ""

    @property
    def is_declared(self) -> bool:
        return bool(self.seed)

    def risk(self, site_code: str) -> str:
        return self.risks.get(site_code, "standard")

    def share(self, site_code: str) -> int:
        """Per cent of the forms of a site that are compared whole."""
        return self.shares[self.risk(site_code)]

    def draws(self, site_code: str, patient_id: str, form: str) -> bool:
        """Whether a form (its code) is compared whole."""
        return drawn(self.seed, patient_id, form) < self.share(site_code) * DRAWN_OF // 100

    def critical_of(self, kind: str) -> tuple[str, ...]:
        """The critical items of a kind of form, in its order."""
        return tuple(name for name in candidates(kind) if name in self.critical)

    def wanted(self, form: FormRow, site_code: str) -> tuple[str, ...]:
        """The columns of a form that are to be compared."""
        if self.draws(site_code, form.row.patient_id, form.form.code):
            return form.comparable
        critical = self.critical_of(str(form.form.kind))
        return tuple(name for name in form.comparable if name in critical)


def drawn(seed: str, patient_id: str, form: str) -> int:
    """A number below 10 000 that a form draws in a plan; the same in Python and in `DRAWN`."""
    digest = hashlib.md5(f"{seed}:{patient_id}:{form}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) % DRAWN_OF


DRAWN = (
    "('x' || substr(md5(%(seed)s || ':' || f.patient_id || ':' || f.form), 1, 8))::bit(32)::bigint % " + str(DRAWN_OF)
).replace(" % ", " %% ")


def candidates(kind: str) -> tuple[str, ...]:
    """Items of a kind of form that may be critical: those that every such form has, and that identify nobody."""
    return tuple(name for name in COLUMNS[kind] if name == "assessment_date" or not catalogue.item(name).identifying)


def plan() -> Plan:
    """The plan that holds."""
    document = current_protocol.document_of(current_protocol.version())
    declared = document.get(PART)
    if not declared:
        return Plan()
    since = _since(declared)
    return _read(declared, since)


def _read(declared: Mapping, version: Any) -> Plan:
    return Plan(
        tuple(declared["critical"]),
        declared["shares"],
        declared["risks"],
        declared["seed"],
        version.created_at if version else None,
        str(version.created_by or "") if version else "",
    )


def _since(declared: Mapping) -> Any:
    """The version of the protocol that brought the plan that holds."""
    first = None
    for version in ProtocolVersion.objects.select_related("created_by").order_by("-pk"):
        if version.document.get(PART) != declared:
            break
        first = version
    return first


@transaction.atomic
def declare(*, access: Access, critical: Iterable[str], shares: Mapping, risks: Mapping, note: str) -> Any:
    """Declare the plan from now on, as the protocol's next version, which is returned. `shares` are texts as typed.

    Raises PermissionDenied; InvalidDefinition with a Fault for each thing that cannot be.
    """
    access.require(Can.ADMINISTER)
    known = {name for kind in KINDS for name in candidates(kind)}
    codes = set(Site.objects.order_by().values_list("code", flat=True))
    faults = [
        Fault(0, "critical", name, Label("is no item that is verified", "照合できる項目ではありません"))
        for name in critical
        if name not in known
    ]
    faults += [
        Fault(0, "risk", code, Label("there is no such site or risk", "該当する施設またはリスクがありません"))
        for code, risk in risks.items()
        if code not in codes or risk not in RISKS
    ]
    faults += [
        Fault(
            0, risk, str(shares.get(risk, "")), Label("must be a whole number 0–100", "0～100の整数を入力してください")
        )
        for risk in RISKS
        if not _is_percent(shares.get(risk, ""))
    ]
    if faults:
        raise publishing.InvalidDefinition(faults)
    document = publishing.newest_document()
    before = document.get(PART) or {}
    declared = {
        "critical": [name for kind in KINDS for name in candidates(kind) if name in set(critical)],
        "shares": {risk: int(shares[risk]) for risk in RISKS},
        "risks": {code: risk for code, risk in sorted(risks.items()) if risk != "standard"},
        "seed": before.get("seed") or secrets.token_hex(8),
    }
    return publishing.store(access, document | {PART: declared}, note)


def _is_percent(text: Any) -> bool:
    return str(text).isdecimal() and len(str(text)) < 4 and int(text) <= 100


# -- In sets ---------------------------------------------------------------------------------------------------------

# Forms that are complete and not verified: site, patient, form, when it changed last, marks, kind.
LEFT = {
    **{
        code: f"""SELECT site_id, patient_id, '{code}' AS form, updated_at, verified, '{code}' AS kind
        FROM registry_patient WHERE {form.state_column} = 'complete'"""
        for code, form in FINISHED_FORMS.items()
    },
    QueryForm.ASSESSMENT.value: """SELECT site_id, patient_id, timepoint_id::text, updated_at, verified, 'assessment'
        FROM registry_assessment WHERE state = 'complete'""",
    QueryForm.ADVERSE_EVENT.value: """SELECT site_id, patient_id, 'event-' || id::text, updated_at, verified,
        'adverse_event' FROM registry_adverseevent WHERE state = 'complete'""",
    QueryForm.OWN_RECORD.value: """SELECT site_id, patient_id, form || '.' || id::text, updated_at, verified,
        'own_record' FROM registry_ownrecord WHERE state = 'complete'""",
}
F = "f (site_id, patient_id, form, updated_at, verified, kind)"
# What the plan still asks of a form `f`: it is drawn, or a critical item of its kind has no mark that holds.
STILL_ASKED = f"""(({DRAWN}) < (%(share)s::jsonb->>f.site_id::text)::int OR EXISTS (
    SELECT FROM jsonb_array_elements_text(%(critical)s::jsonb->f.kind) AS name
    WHERE NOT f.verified ? name OR f.verified->name ? 'changed_at'))"""


def parameters(declared: Plan, sites: Iterable[Site]) -> dict[str, Any]:
    """What `STILL_ASKED` takes."""
    return {
        "seed": declared.seed,
        "share": json.dumps({site.pk: declared.share(site.code) * DRAWN_OF // 100 for site in sites}),
        "critical": json.dumps({kind: declared.critical_of(kind) for kind in KINDS}),
    }


def first_of_each_site(parts: Iterable[str], condition: str, order: str) -> str:
    """SQL of the rows `f`: of each of the %(sites)s and each of some parts of LEFT the first %(until)s forms.

    order  begins with `f.patient_id`: forms are then read by the indexes of site and patient, and no further than they
           are wanted, however many a site has
    """
    every = " UNION ALL ".join(
        f"(SELECT f.* FROM ({part} AND site_id = s.id) AS {F} WHERE {condition} ORDER BY {order} LIMIT %(until)s)"
        for part in parts
    )
    return f"unnest(%(sites)s::int[]) AS s (id) CROSS JOIN LATERAL ({every}) AS {F}"


def forms_left(declared: Plan, sites: Iterable[Site]) -> dict[int, tuple[int, int]]:
    """Site id to (forms that the plan still asks about, forms that are complete and not verified)."""
    sites = list(sites)
    every = " UNION ALL ".join(f"{part} AND site_id = ANY (%(sites)s)" for part in LEFT.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT site_id, count(*) FILTER (WHERE {STILL_ASKED}), count(*) FROM ({every}) AS {F} GROUP BY site_id",
            parameters(declared, sites) | {"sites": [site.pk for site in sites]},
        )
        return {site_id: (asked, left) for site_id, asked, left in cursor.fetchall()}


def next_form(declared: Plan, sites: Iterable[Site], after: tuple[str, str] | None = None) -> tuple[str, str] | None:
    """(patient's number, form's code) of the next form that the plan asks about, in the order of the list; after the
    last comes the first, and None where nothing is left. `after`: the form that one comes from.
    """
    sites = list(sites)
    wanted = parameters(declared, sites) | {"sites": [site.pk for site in sites], "until": 1}
    wanted |= dict(zip(("patient", "form"), after or ("", ""), strict=True))
    behind = "f.patient_id >= %(patient)s AND (f.patient_id, f.form) > (%(patient)s, %(form)s)"
    for condition in (behind, "(f.patient_id, f.form) <> (%(patient)s, %(form)s)"):
        with connection.cursor() as cursor:
            left = first_of_each_site(LEFT.values(), f"{STILL_ASKED} AND {condition}", "f.patient_id, f.form")
            cursor.execute(f"SELECT f.patient_id, f.form FROM {left} ORDER BY f.patient_id, f.form LIMIT 1", wanted)
            if row := cursor.fetchone():
                return row
    return None
