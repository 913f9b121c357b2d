"""A sentence for whoever asks an empty database: most often another one was meant."""

import os

from django.db import transaction

from registry.models import Patient

EMPTY = (
    "This database has no patients ({place}). METASPINE_DATA names the data folder of another one, "
    "DATABASE_URL the address of a server."
)


def tell_if_empty(stderr):
    """Say so on `stderr` where there is no patient at all. In the scope of all sites, which a transaction brings."""
    with transaction.atomic():
        empty = not Patient.objects.exists()
    if empty:
        place = os.environ.get("METASPINE_DATA") or os.environ.get("DATABASE_URL", "").rpartition("@")[2] or "embedded"
        stderr.write(EMPTY.format(place=place))
