"""Checks across items. An item's own rule is in `Item.clean`; here are the rules that need two answers.

Hard checks are broken or not, and a record that breaks one cannot be stored. They are declared by shape, so the
database states the same ones as constraints. Soft checks point at answers that hardly go together; nothing is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from registry.instruments import catalogue, scores
from registry.instruments.base import Label
from registry.instruments.core.patient import age_on
from registry.instruments.core.sins import location_points
from registry.instruments.core.tokuhashi import PALSY_OF_FRANKEL, PRIMARY_OF_TUMOUR, VERTEBRAE_OF_POINTS
from registry.instruments.extra import kps, local_recurrence, prognosis, radiotherapy
from registry.instruments.levels import LEVELS, number
from registry.instruments.timepoints import SCHEDULE, Plans, Timepoint


@dataclass(frozen=True, kw_only=True)
class DateOrder:
    """`earlier` is on or before `later`; before it if `strict`. Holds while one of the two is missing."""

    name: str
    earlier: str
    later: str
    strict: bool = False

    @property
    def items(self) -> tuple[str, ...]:
        return self.earlier, self.later

    @property
    def message(self) -> Label:
        earlier, later = (catalogue.item(name).label for name in self.items)
        if self.strict:
            return Label(
                f"{later.en} must be after {_inside(earlier.en)}",
                f"「{later.ja}」は「{earlier.ja}」より後の日付にしてください",
            )
        return Label(
            f"{later.en} must not be before {_inside(earlier.en)}",
            f"「{later.ja}」は「{earlier.ja}」以降の日付にしてください",
        )

    def message_about(self, answers: Mapping[str, Any]) -> Label:
        """The message with the day that the other one is held against, unless that day identifies somebody."""
        item, day = catalogue.item(self.earlier), answers.get(self.earlier)
        if day is None or item.identifying:
            return self.message
        said = Label(f"{day.day} {day:%b %Y}", f"{day.year}年{day.month}月{day.day}日")
        return Label("{message} ({day})", "{message}（{day}）").format(message=self.message, day=said)

    def is_broken(self, answers: Mapping[str, Any]) -> bool:
        first, second = answers.get(self.earlier), answers.get(self.later)
        if first is None or second is None:
            return False
        return first >= second if self.strict else first > second


@dataclass(frozen=True, kw_only=True)
class OnlyWith:
    """`item` has a value only where `other` is `value`; so not where `other` is missing."""

    name: str
    item: str
    other: str
    value: str

    @property
    def items(self) -> tuple[str, ...]:
        return self.item, self.other

    @property
    def message(self) -> Label:
        item, other = (catalogue.item(name) for name in self.items)
        choice = other.choice(self.value).label
        return Label(
            f"{item.label.en} is only for {_inside(other.label.en)} “{choice.en}”",
            f"「{item.label.ja}」は「{other.label.ja}」が「{choice.ja}」の場合のみ入力できます",
        )

    def message_about(self, answers: Mapping[str, Any]) -> Label:
        """The message with what is answered instead."""
        item, value = catalogue.item(self.other), answers.get(self.other)
        said = Label("no answer", "未回答") if value is None else item.choice(value).label
        return Label("{message} (it is “{said}”)", "{message}（現在：{said}）").format(message=self.message, said=said)

    def is_broken(self, answers: Mapping[str, Any]) -> bool:
        return answers.get(self.item) is not None and answers.get(self.other) != self.value


def _inside(text: str) -> Any:
    """A label as it reads inside a sentence."""
    return text[0].lower() + text[1:]


PATIENT_CHECKS = (
    DateOrder(name="birth_before_consent", earlier="birth_date", later="consent_date", strict=True),
    DateOrder(name="birth_before_surgery", earlier="birth_date", later="surgery_date", strict=True),
    DateOrder(name="consent_not_after_surgery", earlier="consent_date", later="surgery_date"),
    DateOrder(name="surgery_not_after_last_contact", earlier="surgery_date", later="last_contact_date"),
    DateOrder(name="surgery_not_after_death", earlier="surgery_date", later="death_date"),
    DateOrder(name="consent_not_after_death", earlier="consent_date", later="death_date"),
    DateOrder(name="last_contact_not_after_death", earlier="last_contact_date", later="death_date"),
    OnlyWith(name="death_date_only_with_dead", item="death_date", other="vital_status", value="dead"),
    OnlyWith(
        name="recurrence_date_only_with_recurrence",
        item="local_recurrence_date",
        other="local_recurrence",
        value=local_recurrence.PRESENT,
    ),
    DateOrder(name="surgery_not_after_recurrence", earlier="surgery_date", later="local_recurrence_date"),
    DateOrder(name="recurrence_not_after_death", earlier="local_recurrence_date", later="death_date"),
    DateOrder(name="radiotherapy_before_surgery", earlier="rt_before_date", later="surgery_date"),
    DateOrder(name="radiotherapy_after_surgery", earlier="surgery_date", later="rt_after_date"),
)
EVENT_CHECKS = (DateOrder(name="onset_not_after_end", earlier="onset_date", later="ae_end_date"),)


def hard_errors(answers: Mapping[str, Any], checks: Any = PATIENT_CHECKS) -> tuple[DateOrder | OnlyWith, ...]:
    """The hard checks that `answers` (item name to clean value) break."""
    return tuple(check for check in checks if check.is_broken(answers))


@dataclass(frozen=True, kw_only=True)
class SoftCheck:
    """Answers that hardly go together. `items` may name derived values; a missing one makes the check silent."""

    name: str
    items: tuple[str, ...]
    unlikely: Callable[..., bool]  # takes the values of `items`, in order
    message: Label
    some: bool = False  # `unlikely` takes missing values too; only where all are missing the check is silent

    def applies(self, answers: Mapping[str, Any]) -> bool:
        values = [answers.get(name) for name in self.items]
        silent = all(value is None for value in values) if self.some else None in values
        return not silent and self.unlikely(*values)


KATAGIRI_GROWTH = Label(
    "The growth of the primary (Katagiri) differs from that published for the primary tumour",
    "原発腫瘍の発育速度（片桐）が原発腫瘍について発表された区分と異なります",
)


def _is_the_other_growth(item: Any, detail: Any, answer: Any, growth: Any) -> bool:
    """Whether the primary may grow so, yet not with this answer to `item`: hormone-dependent, breast is slow."""
    primary = scores.KATAGIRI_PRIMARY
    published = primary.of_code({primary.item: detail, item: answer})
    return growth in primary.possible(detail) and published not in (None, growth)


_WHEN = {"before": Label("before surgery", "術前"), "after": Label("after surgery", "術後")}


def _without_radiotherapy(when: Any, what: Any) -> SoftCheck:
    """A day, a dose or fractions of radiotherapy where there was none."""
    name, words = f"rt_{when}_{what}", _WHEN[when]
    label = catalogue.item(name).label
    return SoftCheck(
        name=f"{what.removesuffix('_gy')}_without_radiotherapy_{when}",
        items=(f"rt_{when}", name),
        unlikely=lambda kind, value: kind == radiotherapy.NONE and bool(value),
        message=Label(
            f"{label.en} recorded, yet no radiotherapy {words.en}",
            f"{words.ja}の放射線治療が「なし」ですが、「{label.ja}」が記録されています",
        ),
    )


SOFT_CHECKS = (
    SoftCheck(
        name="severe_palsy_but_walks",
        items=("frankel", "barthel_mobility"),
        unlikely=lambda frankel, mobility: frankel in ("A", "B") and mobility == 15,
        message=Label(
            "Frankel A or B, yet walks independently (Barthel mobility 15)",
            "Frankel AまたはBですが、Barthelの移動が歩行自立（15点）です",
        ),
    ),
    SoftCheck(
        name="bedbound_but_independent",
        items=("ecog_ps", "barthel_total"),
        unlikely=lambda ecog, barthel: ecog == 4 and barthel >= 90,
        message=Label(
            "ECOG 4 (no self-care), yet a Barthel total of 90 or more",
            "ECOG 4（全介助）ですが、Barthel合計が90点以上です",
        ),
    ),
    SoftCheck(
        name="active_but_dependent",
        items=("ecog_ps", "barthel_total"),
        unlikely=lambda ecog, barthel: ecog == 0 and barthel <= 40,
        message=Label(
            "ECOG 0 (fully active), yet a Barthel total of 40 or less",
            "ECOG 0（制限なし）ですが、Barthel合計が40点以下です",
        ),
    ),
    SoftCheck(
        name="kps_against_ecog",
        items=("ecog_ps", "kps"),
        unlikely=lambda ecog, points: not kps.agree(points, ecog),
        message=Label(
            "No published mapping gives this ECOG grade for this KPS",
            "このKPSとECOGの組み合わせは、文献上のどの対応とも一致しません",
        ),
    ),
    SoftCheck(
        name="kps_against_tokuhashi",
        items=("timepoint", "tokuhashi_general_condition", "kps"),
        unlikely=lambda when, condition, points: when == "preop" and condition != kps.tokuhashi(points),
        message=Label(
            "The Tokuhashi general condition does not match the KPS before surgery",
            "徳橋スコアの全身状態が術前のKPSと一致しません",
        ),
    ),
    SoftCheck(
        name="walking_against_barthel",
        items=("timepoint", "walks_independently", "barthel_mobility"),
        unlikely=lambda when, walks, mobility: when == "preop" and (mobility == 15 if walks == 0 else mobility < 10),
        message=Label(
            "Walking before treatment (NESMS) does not match the Barthel mobility before surgery",
            "治療前の独歩（NESMS）が術前のBarthelの移動と一致しません",
        ),
    ),
    SoftCheck(
        name="ais_against_frankel",
        items=("frankel", "ais"),
        unlikely=lambda frankel, ais: abs(ord(frankel) - ord(ais)) > 1,
        message=Label(
            "The AIS and the Frankel grade are more than one grade apart",
            "AISとFrankel分類が2段階以上異なります",
        ),
    ),
    SoftCheck(
        name="cobb_vertebrae_in_order",
        items=("cobb_upper", "cobb_lower"),
        unlikely=lambda upper, lower: LEVELS.index(upper) >= LEVELS.index(lower),
        message=Label(
            "The upper end vertebra of the Cobb angle is not above the lower one",
            "Cobb角の上位終椎が下位終椎より頭側にありません",
        ),
    ),
    SoftCheck(
        name="primary_detail_against_tumour",
        items=("primary_detail", "primary_tumour"),
        unlikely=lambda detail, tumour: not prognosis.fits(detail, tumour),
        message=Label(
            "The primary tumour in detail does not belong to the primary tumour",
            "原発腫瘍（詳細）が原発腫瘍と一致しません",
        ),
    ),
    SoftCheck(
        name="primary_detail_against_tokuhashi",
        items=("primary_detail", "tokuhashi_primary"),
        unlikely=lambda detail, points: points not in prognosis.TOKUHASHI_PRIMARY[detail],
        message=Label(
            "The primary tumour in detail does not match the Tokuhashi primary site",
            "原発腫瘍（詳細）が徳橋スコアの原発巣と一致しません",
        ),
    ),
    SoftCheck(
        name="tomita_growth_against_primary",
        items=("primary_detail", "tomita_growth"),
        unlikely=lambda detail, growth: growth not in (scores.TOMITA_PRIMARY.possible(detail) or {growth}),
        message=Label(
            "The growth of the primary (Tomita) differs from that of the primary tumour in detail, whose points count",
            "原発腫瘍の発育速度（富田）が原発腫瘍（詳細）から決まる値と異なります（スコアには後者を用います）",
        ),
    ),
    SoftCheck(
        name="katagiri_growth_against_primary",
        items=("primary_detail", "katagiri_growth"),
        unlikely=lambda detail, growth: (
            detail in scores.KATAGIRI_LISTED and growth not in scores.KATAGIRI_PRIMARY.possible(detail)
        ),
        message=KATAGIRI_GROWTH,
    ),
    *(
        SoftCheck(
            name=f"katagiri_growth_against_{short}",
            items=("primary_detail", answer, "katagiri_growth"),
            unlikely=partial(_is_the_other_growth, answer),
            message=KATAGIRI_GROWTH,
        )
        for short, answer in (("hormones", "hormone_dependent"), ("targeted_drug", "targeted_drug"))
    ),
    SoftCheck(
        name="solitary_against_tokuhashi",
        items=("skeletal_metastases", "tokuhashi_extraspinal_bone", "tokuhashi_vertebral"),
        unlikely=lambda skeletal, extraspinal, vertebral: (skeletal == 1) != (extraspinal == vertebral == 2),
        message=Label(
            "Solitary or multiple skeletal metastases do not match the Tokuhashi numbers of metastases",
            "骨転移の単発・多発が徳橋スコアの転移数と一致しません",
        ),
    ),
    SoftCheck(
        name="visceral_spread_against_tokuhashi",
        items=("visceral_spread", "tokuhashi_organs"),
        unlikely=lambda spread, organs: spread == 0 and organs != 2,
        message=Label(
            "No visceral or cerebral metastases (Katagiri, Bauer), yet Tokuhashi organ metastases",
            "内臓・脳転移（片桐・Bauer）が「なし」ですが、徳橋スコアの臓器転移があります",
        ),
    ),
    SoftCheck(
        name="tomita_against_tokuhashi_organs",
        items=("visceral_treatability", "tokuhashi_organs"),
        unlikely=lambda visceral, organs: (visceral == 0) != (organs == 2),
        message=Label(
            "Visceral metastases (Tomita) do not match the Tokuhashi organ metastases",
            "内臓転移（富田）が徳橋スコアの臓器転移と一致しません",
        ),
    ),
    SoftCheck(
        name="neurological_domain_of_version_2",
        items=("sosg_version", "sosg_neurological"),
        unlikely=lambda version, score: version == "v2",
        message=Label(
            "A neurological score of the SOSG-OQ, which version 2.0 does not have as a domain",
            "SOSG-OQの神経機能スコアが記録されていますが、2.0版にこの領域はありません",
        ),
    ),
    *(_without_radiotherapy(when, what) for when in _WHEN for what in ("date", "dose_gy", "fractions")),
    SoftCheck(
        name="radiotherapy_after_death",
        items=("rt_after_date", "death_date"),
        unlikely=lambda begun, died: begun > died,
        message=Label("The radiotherapy began after the death", "放射線治療の開始日が死亡日より後です"),
    ),
    SoftCheck(
        name="recurrence_after_last_contact",
        items=("local_recurrence_date", "last_contact_date"),
        unlikely=lambda seen, contact: seen > contact,
        message=Label("The local recurrence was seen after the last contact", "局所再発の確認日が最終確認日より後です"),
    ),
    SoftCheck(
        name="dead_but_assessed",
        items=("ecog_ps", "frankel"),
        unlikely=lambda ecog, frankel: ecog == 5,
        message=Label(
            "ECOG 5 (dead), yet a Frankel grade is recorded", "ECOG 5（死亡）ですが、Frankel分類が記録されています"
        ),
    ),
    SoftCheck(
        name="good_health_but_severe_pain",
        items=("eq_vas", "pain_vas_mm"),
        unlikely=lambda health, pain: health >= 80 and pain >= 80,
        message=Label(
            "EQ VAS and pain VAS are both 80 or more: high is good for the first and bad for the second",
            "EQ VASと疼痛VASがともに80以上です（EQ VASは高いほど良好、疼痛VASは高いほど痛みが強い）",
        ),
    ),
    SoftCheck(
        name="no_problems_but_pain",
        items=("eq5d_state", "pain_vas_mm"),
        unlikely=lambda state, pain: state == 11111 and pain >= 70,
        message=Label(
            "EQ-5D-5L 11111 (no problems), yet a pain VAS of 70 mm or more",
            "EQ-5D-5Lが11111（問題なし）ですが、疼痛VASが70 mm以上です",
        ),
    ),
    SoftCheck(
        name="cannot_walk_but_walks",
        items=("eq5d_mobility", "barthel_mobility"),
        unlikely=lambda eq5d, barthel: eq5d == 5 and barthel == 15,
        message=Label(
            "EQ-5D-5L mobility 5 (unable), yet walks independently (Barthel mobility 15)",
            "EQ-5D-5Lの移動の程度が5（できない）ですが、Barthelの移動が歩行自立（15点）です",
        ),
    ),
    SoftCheck(
        name="tokuhashi_palsy_against_frankel",
        items=("timepoint", "tokuhashi_palsy", "frankel"),
        unlikely=lambda when, palsy, frankel: when == "preop" and palsy != PALSY_OF_FRANKEL[frankel],
        message=Label(
            "The Tokuhashi palsy item does not match the Frankel grade before surgery",
            "徳橋スコアの麻痺の項目が術前のFrankel分類と一致しません",
        ),
    ),
    SoftCheck(
        name="tokuhashi_primary_against_tumour",
        items=("tokuhashi_primary", "primary_tumour"),
        unlikely=lambda points, tumour: points not in PRIMARY_OF_TUMOUR[tumour],
        message=Label(
            "The Tokuhashi primary site does not match the primary tumour",
            "徳橋スコアの原発巣が原発腫瘍と一致しません",
        ),
    ),
    SoftCheck(
        name="tokuhashi_vertebrae_against_levels",
        items=("tokuhashi_vertebral", "lesion_levels"),
        unlikely=lambda points, levels: number(levels) > VERTEBRAE_OF_POINTS.get(points, number(levels)),
        message=Label(
            "The lesion has more levels than the Tokuhashi number of vertebral metastases",
            "病変高位の数が徳橋スコアの脊椎転移の数を超えています",
        ),
    ),
    SoftCheck(
        name="sins_location_against_levels",
        items=("sins_location", "lesion_levels"),
        unlikely=lambda points, levels: points not in location_points(levels),
        message=Label(
            "The SINS location does not match any level of the lesion",
            "SINSの部位が病変高位のいずれとも一致しません",
        ),
    ),
    SoftCheck(
        name="large_blood_loss",
        items=("blood_loss_ml",),
        unlikely=lambda blood_loss: blood_loss > 5000,
        message=Label("Blood loss is over 5000 mL", "出血量が5000 mLを超えています"),
    ),
    SoftCheck(
        name="long_operation",
        items=("operative_time_min",),
        unlikely=lambda minutes: minutes > 900,
        message=Label("Operative time is over 15 hours", "手術時間が15時間を超えています"),
    ),
    SoftCheck(
        name="unusual_age",
        items=("birth_date", "surgery_date"),
        unlikely=lambda birth, surgery: not 18 <= age_on(surgery, birth) <= 100,
        message=Label("Age at surgery is under 18 or over 100 years", "手術時年齢が18歳未満または100歳を超えています"),
    ),
    SoftCheck(
        name="assessed_after_death",
        items=("assessment_date", "death_date"),
        unlikely=lambda assessed, died: assessed > died,
        message=Label("The assessment is dated after the death", "評価日が死亡日より後です"),
    ),
    SoftCheck(  # before the birth too, which whoever may not see the date of birth learns nothing of
        name="assessed_long_before_consent",
        items=("assessment_date", "consent_date"),
        unlikely=lambda assessed, consented: (consented - assessed).days > 366,
        message=Label("The assessment is dated more than a year before the consent", "評価日が同意日より1年以上前です"),
    ),
    SoftCheck(
        name="event_before_surgery",
        items=("onset_date", "surgery_date"),
        unlikely=lambda onset, surgery: onset < surgery,
        message=Label("The event began before the surgery", "発生日が手術日より前です"),
    ),
    SoftCheck(
        name="event_after_death",
        items=("onset_date", "death_date"),
        unlikely=lambda onset, died: onset > died,
        message=Label("The event began after the death", "発生日が死亡日より後です"),
    ),
)


def of_visits(schedule: tuple[Timepoint, ...] | Plans) -> tuple[SoftCheck, ...]:
    """The checks of an assessment's date by its timepoint, for one plan or a registry's own `Plans`: that a visit after
    surgery is not before it, and that the date is in the visit's window.

    They ask and do not refuse, as all checks between records do: the other one may be wrong, and signed.
    """

    def visits(code: Any, surgery: Any) -> list[Timepoint]:
        plan = schedule.on(surgery) if isinstance(schedule, Plans) else schedule
        return [visit for visit in plan if visit.code == code]

    def is_before(code: Any, day: Any, surgery: Any) -> bool:
        return day < surgery and any(visit.first_day >= 0 and visit.day > 0 for visit in visits(code, surgery))

    def is_outside(code: Any, day: Any, surgery: Any) -> bool:
        outside = any(not visit.is_in_window(day, surgery) for visit in visits(code, surgery))
        return outside and not is_before(code, day, surgery)

    items = ("timepoint", "assessment_date", "surgery_date")
    return (
        SoftCheck(
            name="follow_up_before_surgery",
            items=items,
            unlikely=is_before,
            message=Label(
                "The visit is one after surgery, and the assessment is dated before the surgery",
                "術後の来院ですが、評価日が手術日より前です",
            ),
        ),
        SoftCheck(
            name="outside_visit_window",
            items=items,
            unlikely=is_outside,
            message=Label("The assessment is outside the window of its visit", "評価日が来院の許容期間の外です"),
        ),
    )


def warnings(answers: Mapping[str, Any], *, schedule: tuple[Timepoint, ...] = SCHEDULE) -> tuple[SoftCheck, ...]:
    """The soft checks that `answers` meet: an assessment's or event's, with those of its patient where known.

    `answers` is item name to clean value. Derived values are computed here where they are not given.
    """
    known = catalogue.derive(answers) | dict(answers)
    return tuple(check for check in (*SOFT_CHECKS, *of_visits(schedule)) if check.applies(known))
