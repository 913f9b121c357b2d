"""`manage.py create_person`: someone who can sign in, such as the first administrator of an empty registry."""

import getpass
import sys

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from registry.instruments import spelling
from sites.email_addresses import canonical
from sites.models import Membership, Site, User
from sites.tenancy.access import CENTRAL_ROLES, Role
from sites.tenancy.scope import Scope, entered


def refuse(message):
    raise CommandError(message, returncode=2)


class Command(BaseCommand):
    help = "Create a person with one role. The administration screens do everything after that."

    def add_arguments(self, parser):
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--name", required=True)
        parser.add_argument("--role", required=True, choices=[role.value for role in Role])
        parser.add_argument("--site", metavar="CODE", help="the code of the site, for every role that is not central")
        parser.add_argument("--language", choices=list(dict(settings.LANGUAGES)), default="en")
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password from the first line of standard input; otherwise it is asked for at the terminal",
        )

    @transaction.atomic
    def handle(self, *, email, name, role, site, language, password_stdin, **options):
        email = checked_email(email)
        place = checked_site(Role(role), site)
        password = checked_password(read_line() if password_stdin else asked(), User(email=email, name=name))
        with entered(Scope(reason="create_person")):
            user = User.objects.create_user(email, password, name=name, language=language)
            Membership.objects.create(user=user, role=role, site=place)
        self.stdout.write(f"Created {email}: {role}" + (f" at {place.code}" if place else ""))


def checked_email(email):
    try:
        email = canonical(email)
    except ValidationError as error:
        refuse(f"“{email}” is not an e-mail address. {' '.join(error.messages)}")
    if User.objects.filter(email=email).exists():
        refuse(f"{email} exists already; give that person another role in the administration screens.")
    return email


def checked_site(role, code):
    """The Site that the role needs, or None for a central role."""
    if role in CENTRAL_ROLES:
        return refuse(f"{role} is a central role and has no site: leave --site out.") if code else None
    code = code and spelling.as_code(code)
    codes = list(Site.objects.values_list("code", flat=True))
    if not code:
        refuse(f"{role} is a role at one site: name it with --site CODE." + known(codes))
    if code not in codes:
        refuse(f"There is no site {code}." + known(codes))
    return Site.objects.get(code=code)


def known(codes):
    return f" Sites: {', '.join(codes)}." if codes else " There are no sites yet: an administrator adds them."


def read_line():
    return sys.stdin.readline().rstrip("\r\n")


def asked():
    if not sys.stdin.isatty():
        refuse("No terminal to ask for the password: pass it with --password-stdin.")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        refuse("The two passwords differ.")
    return first


def checked_password(password, user):
    try:
        validate_password(password, user)
    except ValidationError as error:
        refuse("Password refused. " + " ".join(error.messages))
    return password
