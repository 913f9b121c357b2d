"""What the states of a visit are called on the pages of quality."""

from django.utils.translation import gettext as _


def state_words():
    return {
        "in_window": _("In the window"),
        "early": _("Early"),
        "late": _("Late"),
        "undated": _("Without a day"),
        "draft": _("Draft"),
        "waiting": _("Waiting"),
        "missed": _("Missed"),
        "dead": _("Died before"),
        "withdrawn": _("Withdrawn"),
        "lost": _("Lost"),
    }
