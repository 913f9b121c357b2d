"""E-mail addresses in their one spelling, which the database holds them to.

Where two people of a registry have one address in two spellings, nothing is changed: the message names them.
"""

import re
import unicodedata
from collections import defaultdict

from django.core.management.base import CommandError
from django.db import migrations, models
from django.utils import timezone

SHAPE = r"^[a-z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-z0-9-]+(\.[a-z0-9-]+)*$"


def canonical(address):
    """The one spelling of an address, as of this migration. ValueError with the reason where it has none."""
    for character in address.strip():
        if unicodedata.category(character) in ("Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp"):
            raise ValueError(f"has a character that cannot be seen, U+{ord(character):04X}")
    local, _at, domain = unicodedata.normalize("NFKC", address.strip()).replace("。", ".").rpartition("@")
    if deviating := {"ß", "ς"}.intersection(domain):  # what Python's own codec spells in an older way
        raise ValueError(f"has “{deviating.pop()}” in its domain: write that as xn--…")
    spelled = f"{local}@{domain.encode('idna').decode()}".lower()
    if not re.fullmatch(SHAPE[1:-1], spelled):
        odd = next((one for one in spelled if not one.isascii()), "")
        name = f": “{odd}” (U+{ord(odd):04X} {unicodedata.name(odd, '')})" if odd else ""
        raise ValueError(f"is no e-mail address{name}")
    return spelled


def one_spelling(apps, schema_editor):
    using = schema_editor.connection.alias
    with schema_editor.connection.cursor() as cursor:  # invitations are the administrators' alone
        cursor.execute(
            "SELECT set_config('app.administers', 'on', true), set_config('app.reason', 'one spelling', true)"
        )
    people, problems = defaultdict(list), []
    user_model, invitation_model = (apps.get_model("study_sites", name) for name in ("User", "Invitation"))
    for user in user_model.objects.using(using).order_by("pk"):
        try:
            people[canonical(user.email)].append(user)
        except ValueError as error:
            problems.append(f"{user.name} <{user.email}> (person {user.pk}) {error}")
    for address, same in people.items():
        if len(same) > 1:
            names = ", ".join(f"{user.name} <{user.email}> (person {user.pk})" for user in same)
            problems.append(f"{names}: one address in several spellings, {address}")
    if problems:
        raise CommandError(
            "Nothing was migrated. Give these people addresses of their own first, on the administration screens of "
            "the version that runs now, then migrate again:\n  " + "\n  ".join(problems)
        )
    for address, (user,) in people.items():
        if user.email != address:
            user_model.objects.using(using).filter(pk=user.pk).update(email=address)
    _invitations(invitation_model.objects.using(using).order_by("-pk"))


def _invitations(invitations):
    """An invitation whose address cannot be spelled is withdrawn, and so is the older of two to one address."""
    open_ones = set()
    for invitation in invitations:
        stored = invitation.email, invitation.revoked_at
        try:
            invitation.email = canonical(invitation.email)
        except ValueError:
            invitation.email = f"invitation-{invitation.pk}@invalid"
            invitation.revoked_at = invitation.revoked_at or timezone.now()
        if invitation.accepted_at is None and invitation.revoked_at is None:
            if invitation.email in open_ones:
                invitation.revoked_at = timezone.now()
            open_ones.add(invitation.email)
        if (invitation.email, invitation.revoked_at) != stored:
            invitation.save(update_fields=["email", "revoked_at"])


class Migration(migrations.Migration):
    dependencies = [
        ("study_sites", "0001_baseline"),
    ]

    operations = [
        migrations.RunPython(one_spelling, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(("email__regex", SHAPE)), name="user_email_one_spelling"
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(("email__regex", SHAPE)), name="invitation_email_one_spelling"
            ),
        ),
    ]
