"""Who is exported, at one moment: the cohort's patients of the sites asked for, and how each date is shifted."""

import hashlib
import hmac
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.db import connection

from registry.analysis.data import frame as frames
from registry.analysis.design import cohorts
from registry.exports.data.datasets import PATIENTS_OF_EXPORT, datasets
from registry.instruments import catalogue
from registry.instruments.base import Choice, Explained, Label
from registry.instruments.keys import TIMEPOINT
from registry.models import Erasure
from registry.services.entry import entered_in_error
from registry.services.files import snapshots
from registry.services.files.data_source import LIVE, Source
from registry.services.files.data_use import WITHDRAWN
from registry.services.follow_up import schedule
from registry.services.study import screening
from sites.models import Site
from sites.tenancy.scope import current, entered

MOST_SHIFTED = 182  # days, either way: half a year hides the season, and survival keeps its length


class ExportFailed(Explained):
    """An export that must not leave the registry; `reason` (a Label) says why."""


@dataclass(frozen=True)
class Selected:
    """What an export reads: the choices, the state of the registry, the sites and how many patients come in.

    cohort    as it was applied: with a step of its own for those whose data must not be used
    sites     site id to code, of those that have patients
    flow      the cohort's steps with counts, `enrolled` first
    in_error  how many patients of the sites were entered in error: none of them is in `enrolled`
    erased    how many patients of the sites were erased whole until then: none of them is in `enrolled`
    screened  what the screening logs of these sites count, where they keep any
    snapshot  the Snapshot that the rows are of; None for the registry as it is
    tick      called with the number of rows written so far; may raise to stop
    """

    choices: object
    cohort: cohorts.Cohort
    source: Source
    sites: dict
    flow: list
    erased: int
    in_error: int = 0
    snapshot: object = None
    screened: screening.Screened = field(default_factory=screening.Screened)
    tick: Callable = lambda rows: None

    @property
    def enrolled(self):
        return self.flow[0]["n"]

    @property
    def exported(self):
        return self.flow[-1]["n"]

    @property
    def patients(self):
        """Who is in and who is not: counts of patients, and of the excluded by reason."""
        return {
            "enrolled": self.enrolled,
            "exported": self.exported,
            "excluded": [{"reason": step["reason"], "n": step["excluded"]} for step in self.flow[1:]],
            "erased": self.erased,
            "entered_in_error": self.in_error,
        }

    @property
    def screening(self):
        """The steps from whom the sites looked at to the enrolled; none where nobody keeps a log."""
        return self.screened.steps(self.enrolled)

    @property
    def restricted(self):
        return bool(self.cohort.steps)

    @property
    def datasets(self):
        records = _most_records(self.source) if self.choices.is_wide else {}
        return datasets(self.choices, self.source, self.restricted, known_timepoints(), records)


def _most_records(source):
    """Code of a repeating form → the most records that one patient has of it."""
    if not (source.own_records and catalogue.current().repeats):
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT form, max(records)::int FROM (SELECT form, count(*) AS records "
            f"FROM {source.own_records} GROUP BY form, patient_id) AS counted GROUP BY form"
        )
        return dict(cursor.fetchall())


def known_timepoints():
    """The protocol's timepoints, and behind them whatever else this registry has planned or met with."""
    others = {code: label for code, label in schedule.labels().items() if code not in TIMEPOINT.codes}
    return (*TIMEPOINT.choices, *(Choice(code, label) for code, label in others.items()))


@contextmanager
def selected(choices, site_ids, tick=lambda rows: None):
    """The Selected of some Choices, within the caller's transaction and of sites in the caller's scope.

    ExportFailed where the snapshot does not exist or is not what it was.
    """
    mine = tuple(site_id for site_id in site_ids if site_id in current().read)
    with entered(replace(current(), read=mine)):
        if not choices.snapshot:
            yield _selected(choices, LIVE, None, mine, tick)
            return
        try:
            snapshot = snapshots.get(choices.snapshot)
            with snapshots.opened(snapshot) as source:
                yield _selected(choices, source, snapshot, mine, tick)
        except snapshots.NotIntact as error:
            raise ExportFailed(error.reason) from error


def _selected(choices, source, snapshot, site_ids, tick):
    codes = dict(Site.objects.filter(pk__in=site_ids).order_by("code").values_list("pk", "code"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT site_id, count(*) FROM {source.patients} WHERE site_id = ANY(%s) GROUP BY site_id", [list(codes)]
        )
        counts = dict(cursor.fetchall())
        cohort = choices.cohort
        if cohort.steps or _some_stopped(cursor):
            selection, ids = _cohort(cohort, source)
            cohort, flow = selection.cohort, selection.flow
            _fill(cursor, ids, choices)
        else:
            flow = [{"step": "enrolled", "label": cohorts.ENROLLED.en, "n": sum(counts.values())}]
            if choices.dates == "shifted":
                cursor.execute(f"SELECT patient_id FROM {source.patients} WHERE site_id = ANY(%s)", [list(codes)])
                _fill(cursor, (patient_id for (patient_id,) in cursor.fetchall()), choices)
    sites = {pk: code for pk, code in codes.items() if counts.get(pk)}
    erased = Erasure.objects.filter(site_id__in=site_ids, extent=Erasure.Extent.EVERYTHING).count()
    in_error = sum(entered_in_error.patients_by_site(site_ids).values())
    by_site = screening.by_site(source.screening)
    screened = screening.together(by_site[pk] for pk in codes if pk in by_site)
    return Selected(choices, cohort, source, sites, flow, erased, in_error, snapshot, screened, tick)


def lists_patients(choices):
    """Whether a temporary table lists patients, which a standby does not have.

    That is so of a snapshot or a cohort, with shifted dates, and where somebody's data must no longer be used.
    """
    if choices.snapshot or choices.cohort.steps or choices.dates == "shifted":
        return True
    with connection.cursor() as cursor:
        return _some_stopped(cursor)


def _some_stopped(cursor):
    cursor.execute(f"SELECT EXISTS ({WITHDRAWN})")
    return cursor.fetchone()[0]


def _cohort(cohort, source):
    frame = frames.read(cohorts.timepoints_needed(cohort), keep_key=True, source=source)
    selection = cohorts.select(cohort, frame)
    return selection, frames.patient_ids(frame["key"][selection.chosen], source)


def _fill(cursor, patient_ids, choices):
    cursor.execute(f"DROP TABLE IF EXISTS {PATIENTS_OF_EXPORT}")
    cursor.execute(
        f'CREATE TEMPORARY TABLE {PATIENTS_OF_EXPORT} (patient_id varchar(40) COLLATE "C" PRIMARY KEY, shift int) '
        "ON COMMIT DROP"
    )
    shifts = choices.dates == "shifted"
    with cursor.copy(f"COPY {PATIENTS_OF_EXPORT} FROM STDIN") as copy:
        for patient_id in patient_ids:
            copy.write_row((patient_id, shift_of(patient_id) if shifts else 0))
    cursor.execute(f"ANALYZE {PATIENTS_OF_EXPORT}")


def shift_of(patient_id):
    """By how many days this patient's dates are shifted: from the deployment's secret, so always the same, never 0."""
    digest = hmac.digest(_shift_key(), patient_id.encode(), "sha256")
    days = int.from_bytes(digest[:8], "big") % (2 * MOST_SHIFTED)
    return days - MOST_SHIFTED if days < MOST_SHIFTED else days - MOST_SHIFTED + 1


def _shift_key():
    # Computed here and not in SQL: the database never sees the secret, nor does its log.
    return hashlib.sha256(b"metaspine date shift:" + settings.EXPORT_KEY.encode()).digest()


def check_accounts(selected, written):
    """ExportFailed unless every patient enrolled is exported or excluded for a reason, and every row was written.

    written  name of dataset to (rows written, rows that there are)
    """
    excluded = sum(step.get("excluded", 0) for step in selected.flow[1:])
    if selected.enrolled != selected.exported + excluded:
        raise ExportFailed(
            Label(
                "{enrolled} patients are enrolled; {exported} exported and {excluded} excluded do not add up to that",
                "登録{enrolled}例に対し、出力{exported}例と除外{excluded}例の合計が一致しません",
            ).format(enrolled=selected.enrolled, exported=selected.exported, excluded=excluded)
        )
    expected = {"patients": selected.exported}
    for name, (rows, there) in written.items():
        if rows != there or rows != expected.get(name, rows):
            raise ExportFailed(
                Label(
                    "{name}: {rows} rows were written where there are {there}",
                    "{name}：{there}行のはずが{rows}行しか出力されませんでした",
                ).format(name=name, rows=rows, there=expected.get(name, there))
            )
