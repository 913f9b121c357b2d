"""Drafts: keeping what somebody types before it is saved, for nobody but themselves."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from registry.models import Draft, Patient
from registry.services.records.storing import require
from sites.database.fast_rows import rows_of
from sites.tenancy.access import Access, Can

NEW_EVENT = "event-new"
# Names of a form's fields: items, `<item>_missing`, `<instrument>_not_done` and `reason`. What only steers the page is
# none of them, and nothing else that is sent is kept.
FIELD = re.compile(r"[a-z][a-z0-9_]{0,90}")
STEERING = frozenset(
    {"csrfmiddlewaretoken", "version", "drafted", "person", "save", "complete", "asked", "right", "seen"}
)
MOST = 60_000  # characters of one draft: several times the longest form
REMEMBERED = timedelta(hours=1)  # for so long a discarded draft can be brought back


class TooMuch(Exception):
    """More was typed than a draft may hold."""


def fields_of(sent: Any) -> dict:
    """The fields of a form in what was sent (a QueryDict): name to list of texts."""
    names = (name for name in sent if name not in STEERING and FIELD.fullmatch(name))
    return {name: sent.getlist(name) for name in names}


KEEP = """
INSERT INTO registry_draft AS draft (site_id, patient_id, form, person_id, typed, based_on)
VALUES (%(site)s, %(patient)s, %(form)s, %(person)s, %(typed)s::jsonb, %(version)s)
ON CONFLICT (person_id, patient_id, form) DO UPDATE SET
    typed = CASE WHEN draft.discarded_at IS NULL THEN draft.typed ELSE '{}' END || EXCLUDED.typed,
    -- Of two windows the one that was opened first knows least: nothing saved since then is to be overwritten unasked.
    based_on = CASE WHEN draft.discarded_at IS NOT NULL THEN EXCLUDED.based_on
                    WHEN draft.based_on < EXCLUDED.based_on THEN draft.based_on
                    WHEN draft.based_on IS NOT NULL THEN EXCLUDED.based_on END,
    updated_at = now(), discarded_at = NULL
RETURNING updated_at, length(draft.typed::text)
"""


LOCK = """
SELECT updated_at FROM registry_draft
WHERE person_id = %(person)s AND patient_id = %(patient)s AND form = %(form)s AND discarded_at IS NULL FOR UPDATE
"""


def mark(updated_at: Any) -> Any:
    """What a page carries of the draft that it knows; "" for none. Any other window's typing makes another mark."""
    return updated_at.isoformat() if updated_at else ""


@transaction.atomic
def keep(*, access: Access, patient: Patient, form: Any, typed: Any, version: Any, known: str = "") -> Any:
    """Keep what was typed, beside what the person's draft of this form has already; returns the page's new mark.

    form     the form's code
    typed    name of a field to the list of texts in it; nothing in it needs to be right
    version  of the record that is on the person's page, None where there is none
    known    the page's `mark`: it stays as it is where another window has typed something that the page does not know
    Raises PermissionDenied, TooMuch.
    """
    require(access, Can.ENTER, patient.site_id)
    values = {"site": patient.site_id, "patient": patient.pk, "form": form, "person": access.user_id}
    with connection.cursor() as cursor:
        cursor.execute(LOCK, values)
        before = cursor.fetchone()
        cursor.execute(KEEP, values | {"typed": json.dumps(typed), "version": version})
        at, length = cursor.fetchone()
    if length > MOST:
        raise TooMuch
    return mark(at) if before is None or mark(*before) == known else known


OWN = """
SELECT typed::text, based_on, updated_at, discarded_at FROM registry_draft
WHERE person_id = %s AND patient_id = %s AND form = %s AND site_id = %s
  AND (discarded_at IS NULL OR discarded_at > now() - make_interval(secs => %s))
"""


def draft_of(access: Access, patient: Patient, form: Any) -> Draft | None:
    """The person's own draft of a form, also one just discarded; None where there is none. One query."""
    with connection.cursor() as cursor:  # plain SQL: every form asks
        cursor.execute(OWN, [access.user_id, patient.pk, form, patient.site_id, REMEMBERED.total_seconds()])
        row = cursor.fetchone()
    if row is None:
        return None
    typed, based_on, updated_at, discarded_at = row
    return Draft(
        patient_id=patient.pk,
        site_id=patient.site_id,
        form=form,
        person_id=access.user_id,
        typed=json.loads(typed),
        based_on=based_on,
        updated_at=updated_at,
        discarded_at=discarded_at,
    )


def drafts_of(access: Access, most: Any) -> list[Draft]:
    """The person's drafts at the sites where they may enter, the last typed first."""
    own = "person_id = %s AND site_id = ANY (%s) AND discarded_at IS NULL ORDER BY updated_at DESC LIMIT %s"
    return rows_of(Draft).where(own, [access.user_id, list(access.sites_for(Can.ENTER)), most])


def codes_of(access: Access, patient: Patient) -> frozenset | frozenset[Any]:
    """Codes of the forms of a patient of which the person has a draft. One query."""
    if not access.may(Can.ENTER, patient.site_id):
        return frozenset()
    own = Draft.objects.filter(person_id=access.user_id, patient_id=patient.pk, site_id=patient.site_id)
    return frozenset(own.filter(discarded_at=None).order_by().values_list("form", flat=True))


def discard(access: Access, patient: Patient, form: Any) -> None:
    """The author does not want the draft; for an hour it can be brought back."""
    _own(access, patient, form).filter(discarded_at=None).update(discarded_at=timezone.now())


def bring_back(access: Access, patient: Patient, form: Any) -> None:
    _own(access, patient, form).update(discarded_at=None)


# For the statement that stores an assessment (`fast_rows.Asked`): whether its author has a draft of it. Most have none.
OF_ASSESSMENT = (
    "may_leave_draft",
    """EXISTS (SELECT FROM registry_draft AS d
        WHERE d.person_id = nullif(current_setting('app.user_id', true), '')::bigint
        AND d.patient_id = registry_assessment.patient_id AND d.form = registry_assessment.timepoint_id)""",
)
FORGET = """
DELETE FROM registry_draft WHERE person_id = %s AND patient_id = %s AND form = %s
RETURNING typed::text, based_on, updated_at, discarded_at
"""


def forget(access: Access, patient: Patient, form: Any, sent: Any, known: Any) -> bool:
    """The form was saved: its author's draft has done its duty, but for what was typed in another window.

    sent   what was saved, as it was sent (a QueryDict)
    known  the `mark` of the page that was saved
    Returns whether something that the page did not know is left.
    """
    require(access, Can.ENTER, patient.site_id)
    with connection.cursor() as cursor:  # plain SQL: every save asks
        cursor.execute(FORGET, [access.user_id, patient.pk, form])
        row = cursor.fetchone()
    if row is None:
        return False
    typed, based_on, updated_at, discarded_at = row
    if discarded_at or mark(updated_at) == known:
        return False
    saved = fields_of(sent)
    typed = {name: texts for name, texts in json.loads(typed).items() if _filled(texts) != _filled(saved.get(name, ()))}
    if typed:
        of = {"site_id": patient.site_id, "patient_id": patient.pk, "form": form, "person_id": access.user_id}
        Draft.objects.create(**of, typed=typed, based_on=based_on, updated_at=updated_at)
    return bool(typed)


def _filled(texts: Any) -> list:
    return [text.strip() for text in texts if text.strip()]


def _own(access: Access, patient: Patient, form: Any) -> Any:
    require(access, Can.ENTER, patient.site_id)
    return Draft.objects.filter(person_id=access.user_id, patient_id=patient.pk, form=form).order_by()


def forget_old(now: datetime | None = None) -> int:
    """Remove drafts that nobody went on with for `METASPINE_DRAFT_DAYS`, and discarded ones; returns how many.

    Call it in the scope of all sites.
    """
    now = now or timezone.now()
    old = Draft.objects.filter(updated_at__lt=now - timedelta(days=settings.DRAFT_DAYS))
    count = old.delete()[0]
    return count + Draft.objects.filter(discarded_at__lt=now - REMEMBERED).delete()[0]
