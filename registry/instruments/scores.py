"""Scores computed from answers of several instruments: Tomita, modified Bauer, NESMS, Katagiri, Charlson with age.

A score is a sum of terms, null unless every term is known. Terms are declared by shape, so that a query states the same
ones (`registry.exports.data.scores`); a test holds the two together. Answers are item name to value, of the patient and
of the assessment before surgery.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from registry.instruments.base import Label


class _Term:
    """What terms have in common: unless they say otherwise, every answer that they name counts."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the answers that the points are made of."""
        raise NotImplementedError

    def used(self, answers: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the answers that the points came from, or would come from."""
        return self.inputs


@dataclass(frozen=True, kw_only=True)
class Points(_Term):
    """The points of an answer: its own code, or those that `points` gives for it; none for a code that it lacks."""

    label: Label
    item: str
    points: Mapping[Any, int] | None = field(default=None, hash=False)

    @property
    def inputs(self) -> tuple[str]:
        return (self.item,)

    def compute(self, answers: Mapping[str, Any]) -> Any:
        value = answers.get(self.item)
        return value if self.points is None else self.points.get(value)

    def missing(self, answers: Mapping[str, Any]) -> tuple:
        return () if self.compute(answers) is not None else (self.item,)


@dataclass(frozen=True, kw_only=True)
class Depending(_Term):
    """The points of a code, or of another answer where the code says which: (item, points of its codes).

    `other` is an answer that is points itself: of a code without any, and where it `overrules`, of every code.
    """

    label: Label
    item: str
    points: Mapping[str, Any] = field(hash=False)
    other: str
    overrules: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        further = dict.fromkeys(point[0] for point in self.points.values() if isinstance(point, tuple))
        return (self.item, self.other, *further)

    def of_code(self, answers: Mapping[str, Any]) -> Any:
        """The points that the code has, whatever `other` says; None where it has none or waits for an answer."""
        code: Any = answers.get(self.item)
        point = self.points.get(code)
        return point[1].get(answers.get(point[0])) if isinstance(point, tuple) else point

    def possible(self, code: Any) -> frozenset:
        """Every number of points that a code can have of itself; none of a code that is not in the table."""
        point = self.points.get(code)
        return frozenset() if point is None else frozenset(point[1].values() if isinstance(point, tuple) else (point,))

    def _is_other(self, answers: Mapping[str, Any]) -> bool:
        return answers.get(self.other) is not None and (self.overrules or self.of_code(answers) is None)

    def compute(self, answers: Mapping[str, Any]) -> Any:
        return answers[self.other] if self._is_other(answers) else self.of_code(answers)

    def used(self, answers: Mapping[str, Any]) -> tuple:
        if self._is_other(answers):
            return (self.item, self.other)
        code: Any = answers.get(self.item)
        point = self.points.get(code)
        return (self.item, point[0]) if isinstance(point, tuple) else (self.item,)

    def missing(self, answers: Mapping[str, Any]) -> tuple:
        if self.compute(answers) is not None:
            return ()
        if answers.get(self.item) is None:
            return (self.item,)
        point = self.points.get(answers[self.item])
        return (point[0] if isinstance(point, tuple) else self.other,)


def _exact(limit: Any) -> Decimal:
    return Decimal(str(limit))  # 0.4 as a float is a little more than a measured 0.4


@dataclass(frozen=True)
class Condition:
    """`of` (an item or a Score) is at least, or under, a limit."""

    of: Any
    at_least: float | None = None
    under: float | None = None

    def holds(self, answers: Mapping[str, Any]) -> Any:
        value = self.of.compute(answers) if isinstance(self.of, Score) else answers.get(self.of)
        if value is None:
            return None
        return value >= _exact(self.at_least) if self.under is None else value < _exact(self.under)

    @property
    def inputs(self) -> tuple:
        return self.of.inputs if isinstance(self.of, Score) else (self.of,)

    def missing(self, answers: Mapping[str, Any]) -> tuple:
        if isinstance(self.of, Score):
            return self.of.missing(answers)
        return () if answers.get(self.of) is not None else (self.of,)


@dataclass(frozen=True, kw_only=True)
class Rungs(_Term):
    """The points of the first rung of which any condition holds; 0 below the last.

    A rung with an unknown condition and none that holds is unknown: one critical value decides, one normal does not.
    """

    label: Label
    rungs: tuple[tuple[int, tuple[Condition, ...]], ...]

    @property
    def inputs(self) -> tuple[str | Any, ...]:
        return tuple(dict.fromkeys(name for _, some in self.rungs for condition in some for name in condition.inputs))

    def compute(self, answers: Mapping[str, Any]) -> int | None:
        for points, conditions in self.rungs:
            held = [condition.holds(answers) for condition in conditions]
            if True in held:
                return points
            if None in held:
                return None
        return 0

    def missing(self, answers: Mapping[str, Any]) -> tuple:
        if self.compute(answers) is not None:
            return ()
        return tuple(
            dict.fromkeys(name for _, some in self.rungs for condition in some for name in condition.missing(answers))
        )


@dataclass(frozen=True, kw_only=True)
class Score:
    """A named sum of terms from `minimum` to `maximum`, which caps it. `bands`: (highest score, what it means)."""

    code: str
    column: str
    title: Label
    terms: tuple[Any, ...]
    minimum: int
    maximum: int
    higher_is: str
    bands: tuple[tuple[int, Label], ...] = ()
    provisional: Label | None = None
    citation: str = ""
    licence: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of everything that it is computed from."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.inputs))

    def compute(self, answers: Mapping[str, Any]) -> int | None:
        """The score of `answers`; None while a term is unknown."""
        values = [term.compute(answers) for term in self.terms]
        return None if None in values else min(self.maximum, sum(values))

    def missing(self, answers: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the answers that it waits for; nothing where it is computable."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.missing(answers)))

    def band(self, value: int | None) -> Label | None:
        """What a score means in its source; None for no score."""
        return None if value is None else next((label for upper, label in self.bands if value <= upper), None)


FREE = "Free to implement with the citation."

TOMITA_PRIMARY = Depending(
    label=Label("Growth of the primary", "原発腫瘍の発育速度"),
    item="primary_detail",
    other="tomita_growth",
    points={
        **dict.fromkeys(("breast", "prostate", "thyroid"), 1),
        **dict.fromkeys(("kidney", "uterus"), 2),
        **dict.fromkeys(("lung", "stomach", "oesophagus_pancreas", "liver", "gallbladder", "colon"), 4),
        **dict.fromkeys(("rectum", "unknown"), 4),
    },
)

TOMITA = Score(
    code="tomita",
    column="tomita_score",
    title=Label("Tomita score", "富田スコア"),
    terms=(
        TOMITA_PRIMARY,
        Points(label=Label("Visceral metastases", "内臓転移"), item="visceral_treatability"),
        Points(label=Label("Bone metastases", "骨転移"), item="skeletal_metastases"),
    ),
    minimum=2,
    maximum=10,
    higher_is="worse",
    bands=(
        (3, Label("2–3: wide or marginal excision, long-term control", "2～3：広範または辺縁切除、長期の局所制御")),
        (
            5,
            Label(
                "4–5: marginal or intralesional excision, mid-term control",
                "4～5：辺縁または腫瘍内切除、中期の局所制御",
            ),
        ),
        (7, Label("6–7: palliative surgery", "6～7：姑息的手術")),
        (10, Label("8–10: supportive care", "8～10：支持療法")),
    ),
    citation="Tomita K, Kawahara N, Kobayashi T, et al. Spine 2001;26:298–306. doi:10.1097/00007632-200102010-00016",
    licence=FREE,
)

_NOT_LUNG = {"lung": 0} | dict.fromkeys(
    (
        "stomach", "oesophagus_pancreas", "liver", "gallbladder", "colon", "rectum", "kidney", "breast", "prostate",
        "thyroid", "myeloma_lymphoma", "uterus", "bladder", "melanoma", "sarcoma", "neuroendocrine", "unknown", "other",
    ),
    1,
)  # fmt: skip

BAUER = Score(
    code="bauer",
    column="bauer_score",
    title=Label("Modified Bauer score", "修正Bauerスコア"),
    terms=(
        Points(
            label=Label("No visceral or cerebral metastases", "内臓・脳転移なし"),
            item="visceral_spread",
            points={0: 1, 1: 0, 2: 0},
        ),
        Points(label=Label("Primary is not lung", "原発が肺以外"), item="primary_detail", points=_NOT_LUNG),
        Points(
            label=Label("Breast, kidney, lymphoma or myeloma", "乳癌・腎癌・リンパ腫・骨髄腫"),
            item="primary_detail",
            points={code: int(code in ("breast", "kidney", "myeloma_lymphoma")) for code in _NOT_LUNG},
        ),
        Points(label=Label("One skeletal metastasis", "骨転移が単発"), item="skeletal_metastases", points={1: 1, 2: 0}),
    ),
    minimum=0,
    maximum=4,
    higher_is="better",
    bands=(
        (1, Label("0–1: no surgery", "0～1：手術適応なし")),
        (2, Label("2: dorsal, short-term palliation", "2：後方手術、短期の緩和")),
        (4, Label("3–4: ventral and dorsal, mid-term control", "3～4：前後方手術、中期の局所制御")),
    ),
    citation="Bauer HC, Wedin R. Acta Orthop Scand 1995;66:143–146. doi:10.3109/17453679508995508; Leithner A, et al. "
    "Eur Spine J 2008;17:1488–1495. doi:10.1007/s00586-008-0763-1",
    licence=FREE,
)

NESMS = Score(
    code="nesms",
    column="nesms_score",
    title=Label("New England Spinal Metastasis Score (NESMS)", "New England Spinal Metastasis Score（NESMS）"),
    terms=(
        Rungs(
            label=Label("Modified Bauer score of 3 or more", "修正Bauerスコア3以上"),
            rungs=((2, (Condition(BAUER, at_least=3),)),),
        ),
        Points(label=Label("Walks independently", "独歩可能"), item="walks_independently"),
        Rungs(
            label=Label("Albumin of 3.5 g/dL or more", "アルブミン3.5 g/dL以上"),
            rungs=((1, (Condition("albumin_g_dl", at_least=3.5),)),),
        ),
    ),
    minimum=0,
    maximum=3,
    higher_is="better",
    provisional=Label(
        "Provisional: weights and limits were taken from summaries of the study, not from its table; a clinician has "
        "to confirm them.",
        "暫定：配点と基準値は論文の表ではなく要約に基づいており、臨床医による確認が必要です。",
    ),
    citation="Ghori AK, et al. Spine J 2015;15:2345–2350. doi:10.1016/j.spinee.2015.06.061; Schoenfeld AJ, et al. "
    "Spine J 2021;21:28–36. doi:10.1016/j.spinee.2020.02.009",
    licence=FREE,
)

_HORMONE = ("hormone_dependent", {1: 0, 0: 2})

# What the authors list; then the registry's tumours that they do not, or not as a whole.
KATAGIRI_LISTED = {
    "breast": _HORMONE,
    "prostate": _HORMONE,
    "lung": ("targeted_drug", {1: 2, 0: 3}),
    **dict.fromkeys(("thyroid", "myeloma_lymphoma"), 0),
    **dict.fromkeys(("kidney", "sarcoma"), 2),
    **dict.fromkeys(("stomach", "oesophagus_pancreas", "liver", "colon", "rectum", "melanoma", "unknown"), 3),
}
_KATAGIRI_UNLISTED = {**dict.fromkeys(("uterus", "other"), 2), **dict.fromkeys(("gallbladder", "bladder"), 3)}

KATAGIRI_PRIMARY = Depending(
    label=Label("Primary", "原発腫瘍"),
    item="primary_detail",
    points=KATAGIRI_LISTED | _KATAGIRI_UNLISTED,
    other="katagiri_growth",
    overrules=True,
)

KATAGIRI = Score(
    code="katagiri",
    column="katagiri_score",
    title=Label("Katagiri score (2014)", "片桐スコア（2014年）"),
    terms=(
        KATAGIRI_PRIMARY,
        Points(label=Label("Visceral or cerebral metastases", "内臓・脳転移"), item="visceral_spread"),
        Rungs(
            label=Label("Laboratory", "血液検査"),
            rungs=(
                (
                    2,
                    (
                        Condition("platelets_1000_ul", under=100),
                        Condition("calcium_mg_dl", at_least=10.3),
                        Condition("bilirubin_mg_dl", at_least=1.4),
                    ),
                ),
                (
                    1,
                    (
                        Condition("crp_mg_dl", at_least=0.4),
                        Condition("ldh_iu_l", at_least=250),
                        Condition("albumin_g_dl", under=3.7),
                    ),
                ),
            ),
        ),
        Points(
            label=Label("ECOG 3–4 before surgery", "術前ECOG 3～4"),
            item="ecog_ps",
            points={0: 0, 1: 0, 2: 0, 3: 1, 4: 1},  # 5 is death, which is no poor performance
        ),
        Points(label=Label("Previous chemotherapy", "化学療法の既往"), item="previous_chemotherapy"),
        Points(
            label=Label("Multiple skeletal metastases", "多発骨転移"), item="skeletal_metastases", points={1: 0, 2: 1}
        ),
    ),
    minimum=0,
    maximum=10,
    higher_is="worse",
    bands=(
        (3, Label("0–3: low risk", "0～3：低リスク")),
        (6, Label("4–6: intermediate risk", "4～6：中リスク")),
        (10, Label("7–10: high risk", "7～10：高リスク")),
    ),
    citation="Katagiri H, Okada R, Takagi T, et al. Cancer Med 2014;3:1359–1367. doi:10.1002/cam4.292",
    licence="Open-access article; free to implement.",
)

CHARLSON_WITH_AGE = Score(
    code="charlson",
    column="cci_age_adjusted",
    title=Label("Charlson index with age", "Charlson指数（年齢調整）"),
    terms=(
        Points(label=Label("Charlson index", "Charlson指数"), item="cci_full"),
        Rungs(
            label=Label("Age at surgery", "手術時年齢"),
            rungs=tuple((points, (Condition("age_at_surgery", at_least=40 + 10 * points),)) for points in (4, 3, 2, 1)),
        ),
    ),
    minimum=0,
    maximum=37,
    higher_is="worse",
    citation="Charlson ME, Pompei P, Ales KL, MacKenzie CR. J Chronic Dis 1987;40:373–383. "
    "doi:10.1016/0021-9681(87)90171-8",
    licence=FREE,
)

PROGNOSTIC = (TOMITA, BAUER, NESMS, KATAGIRI)
SCORES = (CHARLSON_WITH_AGE, *PROGNOSTIC)
