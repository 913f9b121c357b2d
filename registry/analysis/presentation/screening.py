"""What is said of the steps of a flow before enrolment, which the screening log counts."""

from registry.instruments.base import Label
from registry.instruments.core import screening as declared

LABELS = {
    "screened": Label("Screened", "スクリーニング"),
    "eligible": Label("Eligible", "適格"),
    "consented": Label("Consented", "同意"),
    "enrolled": Label("Enrolled", "登録"),
}
WHY = {choice.code: choice.label for choices in (declared.OUTCOMES, *declared.REASONS.values()) for choice in choices}
NOBODY = Label("nobody", "なし")
ONE_REASON = Label("{reason} ({n})", "{reason}（{n}）")


def steps_in_language(steps, language):
    """Steps of `Screened.steps` with `label` and `reason` in a language: “age (3), too ill (2)”."""
    return [
        step | {"label": LABELS[step["step"]].in_language(language), "reason": _reason(step, language)}
        for step in steps
    ]


def _reason(step, language):
    if "why" not in step:
        return ""
    lines = [
        ONE_REASON.in_language(language).format(reason=WHY[code].in_language(language), n=n)
        for code, n in step["why"].items()
    ]
    return ("、" if language.startswith("ja") else ", ").join(lines) or NOBODY.in_language(language)


def whole(before, flow):
    """A flow with the steps before enrolment in front of it: who left just before it is told with the enrolled."""
    if not before:
        return flow
    *earlier, last = before
    return [*earlier, flow[0] | {"excluded": last["excluded"], "reason": last["reason"]}, *flow[1:]]
