"""The schedule in versions: reading the plans, publishing another, and the codes of visits outside the plan."""

import itertools
import re
from functools import lru_cache
from typing import Any

from django.db import connection, transaction

from registry.instruments.base import InvalidValue, Item, Label
from registry.instruments.timepoints import SCHEDULE, Plans, Timepoint, Version, unscheduled, unscheduled_number
from registry.models import Patient, ScheduledVisit, ScheduleVersion
from registry.models import Timepoint as StoredTimepoint
from registry.services import standing
from registry.services.records.cleaning import InvalidAnswers
from sites.tenancy.access import Access, Can
from sites.tenancy.scope import current, everything

# The product's own timepoints keep their order. The visit before surgery is always planned: changes count from it.
PROTOCOL = tuple(timepoint.code for timepoint in SCHEDULE)
BASELINE = PROTOCOL[0]
UNSCHEDULED_POSITION = 20_000  # after every planned visit
NEW_CODE = re.compile(r"[1-9][0-9]{0,2}[dwmy]")

EFFECTIVE_FROM = Item(
    name="effective_from",
    label=Label("First day of surgery", "適用開始（手術日）"),
    kind="date",
    not_future=False,
)
NOTE = Item(name="note", label=Label("Reason for the change", "変更の理由"), kind="text", max_length=300)
CODE = Item(name="code", label=Label("Code", "コード"), kind="text", max_length=8)
LABEL = Item(name="label", label=Label("Name", "名称（英語）"), kind="text", max_length=40)
LABEL_JA = Item(name="label_ja", label=Label("Japanese name", "名称（日本語）"), kind="text", max_length=40)
DAY = Item(name="day", label=Label("Target day", "予定日"), minimum=-365, maximum=7300)
BEFORE = Item(name="before", label=Label("Days before", "前の許容日数"), minimum=0, maximum=365)
AFTER = Item(name="after", label=Label("Days after", "後の許容日数"), minimum=0, maximum=365)
VISIT_ITEMS = (CODE, LABEL, LABEL_JA, DAY, BEFORE, AFTER)

NEEDED = Label("is needed", "入力してください")
NEW_CODE_SHAPE = Label(
    "must be a number and d, w, m or y, such as 36m", "数字とd・w・m・yのいずれかで入力してください（例：36m）"
)
TAKEN = Label("is there twice", "重複しています")
TOO_EARLY = Label(
    "must be a day after today: patients operated until then keep the schedule that they have",
    "明日以降の日付にしてください。それまでに手術を受けた患者の予定は変わりません。",
)
UNCHANGED = Label("These are the days that are in force already.", "現在の予定と同じ内容です。")
BASELINE_STAYS = Label(
    "The visit {code} cannot be left out: changes are counted from it.",
    "来院「{code}」は外せません（変化量の基準となるため）。",
)
PROTOCOL_ORDER = Label(
    "must come after the visit {code}: the protocol's visits keep their order",
    "「{code}」より後にしてください。プロトコールの来院の順序は変えられません。",
)
OVERLAP = Label(
    "opens the window on day {day}, before the window of {code} has closed",
    "許容期間が{day}日に始まり、「{code}」の許容期間と重なります",
)
AFTER_SURGERY = Label("must end on the day of surgery or before", "許容期間は手術当日までにしてください")


def plans(*, now: bool = False) -> Plans:
    """The `Plans` of this registry, at most a second old; `now` asks the database."""
    return _plans((standing.read() if now else standing.current()).visits)


@lru_cache(maxsize=4)
def _plans(rows: Any) -> Plans:
    """What the rows say: the same rows are the same plans."""
    versions: dict[tuple, list[Timepoint]] = {}
    for version, start, code, label, label_ja, day, before, after in rows:
        timepoint = Timepoint(code=code, label=Label(label, label_ja), day=day, before=before, after=after)
        versions.setdefault((version, start), []).append(timepoint)
    return Plans(tuple(Version(start, tuple(plan)) for (_, start), plan in versions.items()))


def labels() -> dict[Any, Label]:
    """Code to `Label` of every timepoint there is, planned or not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT code, label, label_ja FROM registry_timepoint ORDER BY position, code")
        return {code: Label(label, label_ja) for code, label, label_ja in cursor.fetchall()}


def next_unscheduled(recorded: Any) -> int | str:
    """The code of a patient's next unscheduled visit; `recorded` are the codes of those that there are."""
    return unscheduled(1 + max((unscheduled_number(code) or 0 for code in recorded), default=0)).code


def ensure_timepoint(code: str) -> None:
    """Make the row of an unscheduled visit's code, if nobody has needed it before; nothing for a planned one."""
    if number := unscheduled_number(code):
        timepoint = unscheduled(number)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO registry_timepoint (code, label, label_ja, position) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (code) DO NOTHING",
                [timepoint.code, timepoint.label.en, timepoint.label.ja, UNSCHEDULED_POSITION + number],
            )


@transaction.atomic
def publish(*, access: Access, effective_from: Any, visits: Any, note: Any, today: Any) -> ScheduleVersion:
    """Publish the plan for patients operated from a day on, and return its ScheduleVersion.

    visits  a mapping for each visit with what was typed for VISIT_ITEMS, by item name
    Raises InvalidAnswers, whose keys are `effective_from`, `note`, `""` or `<item>-<place of the visit>`.
    """
    if access is not None:
        access.require(Can.ADMINISTER)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [0x5343])  # two that publish wait for each other here
    errors: dict[str, list[Label]] = {}
    start = _cleaned(EFFECTIVE_FROM, effective_from, "effective_from", errors)
    why = _cleaned(NOTE, note, "note", errors)
    known = plans(now=True)
    rows = [_visit(visit, place, errors) for place, visit in enumerate(visits)]
    if not errors:
        _check(rows, known, start, today, errors)
    if errors:
        raise InvalidAnswers(errors)
    version = ScheduleVersion.objects.create(
        effective_from=start, note=why, created_by_id=None if access is None else access.user_id
    )
    for row in rows:
        _store(version, row)
    standing.forget()
    return version


def _store(version: Any, timepoint: Any) -> Any:
    row, created = StoredTimepoint.objects.get_or_create(
        code=timepoint.code,
        defaults={"label": timepoint.label.en, "label_ja": timepoint.label.ja, "position": timepoint.day},
    )
    if not created and row.position != timepoint.day:
        row.position = timepoint.day
        row.save(update_fields=["position"])
    ScheduledVisit.objects.create(
        version=version,
        timepoint=row,
        target_day=timepoint.day,
        days_before=timepoint.before,
        days_after=timepoint.after,
    )


def _cleaned(item: Item, raw: Any, key: Any, errors: Any) -> Any:
    try:
        value = item.clean(raw)
    except InvalidValue as error:
        errors[key] = [error.reason]
        return None
    if value is None:
        errors[key] = [NEEDED]
    return value


def _visit(raw: Any, place: Any, errors: Any) -> Timepoint | None:
    """What was typed for one visit as a `Timepoint`; None where something is wrong with it."""
    values = {item.name: _cleaned(item, raw.get(item.name), f"{item.name}-{place}", errors) for item in VISIT_ITEMS}
    if None in values.values():
        return None
    return Timepoint(
        code=values["code"],
        label=Label(values["label"], values["label_ja"]),
        day=values["day"],
        before=values["before"],
        after=values["after"],
    )


def _check(rows: Any, known: Any, start: Any, today: Any, errors: Any) -> None:
    """What is wrong with a plan as a whole, into `errors`."""
    codes = [row.code for row in rows]
    stored = {timepoint.code for timepoint in known.timepoints}
    for place, code in enumerate(codes):
        if code in codes[:place]:
            errors[f"code-{place}"] = [TAKEN]
        elif code not in stored and not NEW_CODE.fullmatch(code):
            errors[f"code-{place}"] = [NEW_CODE_SHAPE]
    if BASELINE not in codes:
        errors[""] = [BASELINE_STAYS.format(code=BASELINE)]
    if errors:
        return
    _check_days(rows, errors)
    if start <= today and _anybody_operated_since(start):
        errors["effective_from"] = [TOO_EARLY]
    if not errors and tuple(sorted(rows, key=lambda timepoint: timepoint.day)) == known.on(start):
        errors[""] = [UNCHANGED]


def _check_days(rows: Any, errors: Any) -> None:
    place_of = {row.code: place for place, row in enumerate(rows)}
    days = {row.code: row.day for row in rows}
    for earlier, later in itertools.pairwise(code for code in PROTOCOL if code in days):
        if days[later] <= days[earlier]:
            errors[f"day-{place_of[later]}"] = [PROTOCOL_ORDER.format(code=earlier)]
    if rows[place_of[BASELINE]].last_day > 0:
        errors[f"after-{place_of[BASELINE]}"] = [AFTER_SURGERY]
    ordered = sorted(rows, key=lambda timepoint: timepoint.day)
    for earlier, later in itertools.pairwise(ordered):
        key = f"day-{place_of[later.code]}"
        if later.first_day <= earlier.last_day and key not in errors:
            errors[key] = [OVERLAP.format(day=later.first_day, code=earlier.code)]


def _anybody_operated_since(day: Any) -> bool:
    """Whether anybody's plan would change. An administrator's scope reaches no patient; only yes or no comes out."""
    with everything(user_id=current().user_id):
        return Patient.objects.filter(surgery_date__gte=day).exists()
