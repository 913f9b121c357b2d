"""Letters to administrators about refusals: what, how often, of whom. Nothing of a patient, and no secret."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from sites.audit import alerts


def letters(due: Any) -> Iterator[tuple[Any, str, Any]]:
    """(subject, body, address) for each administrator about one alerts.Due, in that person's language."""
    where = f"{settings.ADDRESS}{reverse('audit')}?action={due.kind}"
    for person in alerts.administrators():
        with override(person.language):
            what = str(alerts.KINDS[due.kind])
            body = render_to_string("account/email/alert.txt", {"what": what, "due": due, "address": where})
            subject = settings.ACCOUNT_EMAIL_SUBJECT_PREFIX + _("refusals to look at")
        yield subject, body.strip(), person.email
