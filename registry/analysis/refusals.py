"""What a plan or a cohort that cannot be carried out is answered: what is wrong and what fits, in both languages."""

from registry.instruments.base import Label


class Refused(ValueError):
    """`reason` is a Label; the error's own text is English."""

    def __init__(self, reason: Label):
        super().__init__(reason.en)
        self.reason = reason


def refusal(en, ja, **values):
    """The Refused to raise: two texts with the same values in them."""
    return Refused(Label(en, ja).format(**values))


def told(error, language):
    """A ValueError in a language where it has one; its own text otherwise."""
    reason = getattr(error, "reason", None)
    return reason.in_language(language) if isinstance(reason, Label) else str(error)


def listed(codes):
    """Codes as they stand in a refusal."""
    return ", ".join(str(code) for code in codes if code != "")
