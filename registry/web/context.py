"""What every page's frame shows."""

from django.conf import settings

from sites.access import Can


def frame(request):
    """`synthetic`, the person's `access`, and the abilities by name for `{% if can.enter %}`."""
    access = getattr(request, "access", None)
    return {
        "synthetic": settings.SYNTHETIC,
        "access": access,
        "can": {ability.value: access is not None and access.may(ability) for ability in Can},
    }
