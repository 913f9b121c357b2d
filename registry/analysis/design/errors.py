"""What a plan or a cohort that cannot be carried out is answered: what is wrong and what fits, in both languages."""

from registry.instruments.base import Label


class Refused(ValueError):
    """`reason` is a Label; the error's own text is English."""

    def __init__(self, reason: Label):
        super().__init__(reason.en)
        self.reason = reason


def refusal(en, ja, **values):
    """The Refused to raise: two texts with the same values in them, of which Labels stand in the text's language."""

    def told(text, language):
        shown = {
            name: value.in_language(language) if isinstance(value, Label) else value for name, value in values.items()
        }
        return text.format(**shown)

    return Refused(Label(told(en, "en"), told(ja, "ja")))


def told(error, language):
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
