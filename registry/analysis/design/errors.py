"""What a plan or a cohort that cannot be carried out is answered: what is wrong and what fits, in both languages."""

from registry.instruments.base import Explained, Label


class Refused(Explained, ValueError):
    """`reason` is a Label; the error's own text is English."""


def refusal(en, ja, **values):
    """The Refused to raise: two texts with the same values in them, as `Label.format` puts them there."""
    return Refused(Label(en, ja).format(**values))


def one_of(place, value, choices):
    """A value at a place in a plan, if it is one of the choices. Raises Refused."""
    if value not in choices:
        raise refusal(
            "{place}: “{value}” does not fit; one of {fits}",
            "{place}：「{value}」は使えません。使えるもの：{fits}",
            place=place,
            value=value,
            fits=listed(choices),
        )
    return value


def sentence(error, language):
    """A ValueError in a language where it has one; its own text otherwise."""
    reason = getattr(error, "reason", None)
    return reason.in_language(language) if isinstance(reason, Label) else str(error)


def named(some):
    """Things with a code and a Label as they stand in a refusal: in words for people, with the code for programs."""
    some = tuple(some)
    return Label(
        ", ".join(f"{choice.label.en} ({choice.code})" for choice in some),
        "、".join(f"{choice.label.ja}（{choice.code}）" for choice in some),
    )


def listed(codes):
    """Codes as they stand in a refusal."""
    return ", ".join(str(code) for code in codes if code != "")
