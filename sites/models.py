"""Sites, people, their roles, and the audit trail that everything above writes to by triggers."""

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Lower, Now
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from registry.instruments import value_sets
from registry.instruments.base import Label
from sites.database.fast_rows import rows_of
from sites.email_addresses import ONE_SPELLING, EmailAddressField, canonical
from sites.languages import LanguageField
from sites.moments import minute_of
from sites.tenancy.access import CENTRAL_ROLES, ROLE_LABELS, Role


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email=email)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=canonical(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Someone who may open the admin screens; still without clinical data."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    email = EmailAddressField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    language = LanguageField(_("language"), default="en")
    is_staff = models.BooleanField(_("may open the admin screens"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)
    digest = models.BooleanField(
        _("daily e-mail"), default=True, help_text=_("What waits for the person, in numbers; never on an empty day.")
    )
    entry_in_steps = models.BooleanField(
        _("long forms in steps"),
        default=False,
        db_default=False,  # a process of the version before knows nothing of it
        help_text=_("On a tablet or phone one part at a time, and the answers once more before a form is completed."),
    )
    sign_in_epoch = models.PositiveIntegerField(default=0, editable=False)  # raised to end all of a person's sessions

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_any_case_unique"),
            models.CheckConstraint(condition=ONE_SPELLING, name="user_email_one_spelling"),
        ]

    def __str__(self) -> Any:
        return self.name or self.email

    @property
    def sign_in_state(self) -> str:
        """A hash that is another once the password is another or the person was signed out everywhere."""
        return hashlib.sha256(f"{self.sign_in_epoch}:{self.password}".encode()).hexdigest()

    def _get_session_auth_hash(self, secret: Any = None) -> str:
        """A session holds this hash and ends where it differs: with the password, and with `sign_in_epoch`."""
        return salted_hmac(
            "sites.models.User.session", f"{self.sign_in_epoch}:{self.password}", secret=secret, algorithm="sha256"
        ).hexdigest()


class DeclaredCodeField(models.CharField):
    """A code whose choices a declaration has: to migrations it is its text, so that a new choice is none."""

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        kwargs.pop("choices", None)
        return name, "django.db.models.CharField", args, kwargs


def value_set_choices() -> list[tuple[str, str]]:
    """Code and name of each value set, in the language of the page."""
    language = get_language()
    return [(known.code, f"{known.label.in_language(language)} ({known.code})") for known in value_sets.ALL]


class Site(models.Model):
    code = models.CharField(
        _("code"), max_length=8, unique=True, help_text=_("Short and stable, e.g. S07. Starts every patient number.")
    )
    name = models.CharField(pgettext_lazy("thing", "name"), max_length=200)
    name_ja = models.CharField(_("Japanese name"), max_length=200, blank=True)
    region = models.CharField(_("region"), max_length=60, blank=True)
    enrolment_target = models.PositiveIntegerField(_("enrolment target"), null=True, blank=True)
    value_set = DeclaredCodeField(
        _("EQ-5D-5L value set"),
        max_length=8,
        default="JP",
        choices=value_set_choices,
        help_text=_("Used for the HSUV shown at this site; a comparison names its own."),
    )
    contact_name = models.CharField(_("contact"), max_length=120, blank=True)
    contact_email = models.EmailField(_("contact's e-mail address"), blank=True)
    contact_phone = models.CharField(_("contact's telephone"), max_length=40, blank=True)
    activated_on = models.DateField(
        _("enrols from"),
        null=True,
        blank=True,
        help_text=_("The first day on which a patient may consent here. Empty: since ever."),
    )
    closed_on = models.DateField(
        _("enrols until"),
        null=True,
        blank=True,
        help_text=_("The last such day; follow-up goes on. Empty: no end."),
    )

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=Q(code__regex=r"^[A-Z][A-Z0-9]{0,7}$"), name="site_code_shape"),
            models.CheckConstraint(
                condition=Q(value_set__in=[value_set.code for value_set in value_sets.ALL]), name="site_value_set_known"
            ),
            models.CheckConstraint(
                condition=Q(activated_on=None) | Q(closed_on=None) | Q(closed_on__gte=F("activated_on")),
                name="site_closes_after_activation",
                violation_error_message=_("A site cannot close before it is activated."),
            ),
        ]

    def enrols(self, day: date) -> bool:
        """Whether who consents on a day may be enrolled here; the trigger `site_enrols` holds every path to it."""
        return (self.activated_on or day) <= day <= (self.closed_on or day)

    @classmethod
    def of(cls, ids: Iterable[int]) -> list["Site"]:
        """The sites of these ids, by code. Written out: nearly every page asks, and the ORM takes longer."""
        return rows_of(cls).where("id = ANY (%s) ORDER BY code", [list(ids)])

    def __str__(self) -> str:
        """Code and name, in the language of the page."""
        return f"{self.code} {Label(self.name, self.name_ja or self.name).in_language(get_language() or 'en')}"


class MembershipQuerySet(models.QuerySet):
    def running(self, day: date) -> Any:
        return self.filter(Q(starts_on__lte=day), Q(ends_on=None) | Q(ends_on__gte=day))


# A central role has no site; every other role needs one.
SITE_FITS_ROLE = Q(site=None, role__in=sorted(CENTRAL_ROLES)) | (
    Q(site__isnull=False) & ~Q(role__in=sorted(CENTRAL_ROLES))
)


class Membership(models.Model):
    """One role of one person, at one site or (central roles) at all, from a day to a day."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("person"))
    role = models.CharField(
        _("role"), max_length=12, choices=[(role.value, label) for role, label in ROLE_LABELS.items()]
    )
    site = models.ForeignKey(
        Site,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="memberships",
        verbose_name=_("site"),
        help_text=_("Empty for central roles: data manager, statistician, administrator."),
    )
    starts_on = models.DateField(_("from"), default=timezone.localdate)
    ends_on = models.DateField(_("until"), null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.CheckConstraint(
                condition=SITE_FITS_ROLE,
                name="membership_site_fits_role",
                violation_error_message=_("A central role has no site; every other role needs one."),
            ),
            models.CheckConstraint(condition=Q(role__in=[role.value for role in Role]), name="membership_role_known"),
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gte=F("starts_on")), name="membership_ends_after_start"
            ),
            models.UniqueConstraint(
                fields=["user", "role", "site", "starts_on"], nulls_distinct=False, name="membership_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {ROLE_LABELS[Role(self.role)]}" + (f" · {self.site.code}" if self.site else "")


class Digest(models.Model):
    """The day that a person was last told about by e-mail, or that had nothing to tell: each day is told once.

    Locked while the e-mail of that person is sent. `registry.services.operations.digests` does everything with it.
    """

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="+")
    last_on = models.DateField(null=True)

    class Meta:
        verbose_name = _("daily e-mail")
        verbose_name_plural = _("daily e-mails")

    def __str__(self) -> str:
        return f"{self.user_id} · {self.last_on}"


class Invitation(models.Model):
    """Somebody asked to join, with the membership that accepting gives: `sites.people.invitations` does all with it.

    Only a hash of the link's token is kept. The row's policy shows it to administrators alone.
    """

    email = EmailAddressField(_("e-mail address"))
    name = models.CharField(_("name"), max_length=120, blank=True)
    language = User._meta.get_field("language").clone()
    role = Membership._meta.get_field("role").clone()
    site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("site"))
    starts_on = models.DateField(_("from"), default=timezone.localdate)
    ends_on = models.DateField(_("until"), null=True, blank=True)
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("invited by"))
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    token_hash = models.CharField(max_length=64, unique=True)
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.CheckConstraint(condition=SITE_FITS_ROLE, name="invitation_site_fits_role"),
            models.CheckConstraint(condition=Q(role__in=[role.value for role in Role]), name="invitation_role_known"),
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gte=F("starts_on")), name="invitation_ends_after_start"
            ),
            models.UniqueConstraint(
                Lower("email"), condition=Q(accepted_at=None, revoked_at=None), name="invitation_one_open"
            ),
            models.CheckConstraint(condition=ONE_SPELLING, name="invitation_email_one_spelling"),
        ]

    def __str__(self) -> Any:
        return self.email

    @property
    def state(self) -> str:
        """`accepted`, `revoked`, `expired` or `open`."""
        if self.accepted_at:
            return "accepted"
        if self.revoked_at:
            return "revoked"
        return "open" if self.expires_at > timezone.now() else "expired"


class ValuesField(models.JSONField):
    """Columns and their values. The trigger `audit_rows` keeps those of many rows at once as text inside the JSON."""

    def deconstruct(self) -> Any:
        """To migrations it is the JSON that it is stored as: they import nothing of ours."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        value = super().from_db_value(value, expression, connection)
        return json.loads(value) if isinstance(value, str) and not isinstance(expression, KeyTransform) else value


class AuditEvent(models.Model):
    """One recorded change or act. Written by triggers and by `sites.audit.record`; nobody updates or deletes it."""

    at = models.DateTimeField(_("when"), db_default=Now())
    site_id = models.BigIntegerField(null=True)
    table_name = models.CharField(_("table"), max_length=63)
    row_id = models.CharField(_("row"), max_length=64)
    action = models.CharField(
        _("what happened"), max_length=32
    )  # insert, update, delete, or the name of an act such as sign_in
    user_id = models.BigIntegerField(null=True)
    request_id = models.CharField(_("request"), max_length=32, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    transaction_id = models.BigIntegerField(_("transaction"))
    old = ValuesField(_("before"), null=True)
    new = ValuesField(_("after"), null=True)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        indexes = [
            models.Index(fields=["site_id", "table_name", "row_id", "id"], name="audit_by_row"),
            # The trail is nearly in the order of its time, so that a few kilobytes say where to look.
            BrinIndex(fields=["at"], name="audit_by_time", autosummarize=True),
            models.Index(fields=["user_id", "id"], name="audit_by_person"),
            # Acts are one event in a thousand: nobody scans the changes of rows for them.
            models.Index(
                fields=["action", "id"],
                name="audit_of_acts",
                condition=~models.Q(action__in=("insert", "update", "delete")),
            ),
            # A registry that was imported has few of these among its millions of new rows.
            models.Index(
                fields=["action", "id"],
                name="audit_of_changes",
                condition=models.Q(action__in=("update", "delete")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.table_name} {self.row_id}"


class ApiToken(models.Model):
    """What a program signs in with for a person: some of the person's abilities, for a while (`sites.people.tokens`).

    Only a hash of the token is kept; whoever reads this table can sign in with nothing.
    """

    running: list[tuple[int, str, int | None]]  # of one that signed somebody in: memberships that run today

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens", verbose_name=_("person"))
    name = models.CharField(pgettext_lazy("thing", "name"), max_length=80)
    start = models.CharField(_("begins with"), max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(_("scopes"))
    site_ids = models.JSONField(_("sites"), null=True, blank=True)  # null: wherever the person works
    memberships = models.JSONField(default=list)  # [id, role, site id] of those that ran when the token was issued
    owner_state = models.CharField(max_length=64, blank=True)  # `User.sign_in_state` of then: it ends with that
    created_at = models.DateTimeField(_("issued"), db_default=Now())
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.user} · {self.name}"


class ApiAnswer(models.Model):
    """What a POST with an `Idempotency-Key` was answered, so that its repetition is answered the same for a day.

    Nobody but the person who asked reads it: a policy of the database says so.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of the method, the address, the body and the token's scopes
    status = models.PositiveSmallIntegerField()
    location = models.CharField(max_length=500, blank=True)
    etag = models.CharField(max_length=80, blank=True)
    body = models.TextField()
    answered_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("kept answer")
        verbose_name_plural = _("kept answers")
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="api_answer_once")]
        indexes = [models.Index(fields=["answered_at"], name="api_answer_by_time")]

    def __str__(self) -> str:
        return f"{self.user_id} · {self.key}"


class Attempt(models.Model):
    """A guess at a secret, kept for as long as it counts: `sites.attempts` does everything with it.

    Whose secret, or from which address, is kept as a keyed hash; of what was typed nothing is, but a hash of a link's
    or token's text, so that the same one twice is one guess.
    """

    kind = models.CharField(max_length=32)
    subject = models.CharField(max_length=64)
    guess = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        indexes = [models.Index(fields=["kind", "subject", "at"], name="attempt_by_subject")]

    def __str__(self) -> str:
        return f"{self.kind} {minute_of(self.at)}"


class Alert(models.Model):
    """Until which event of a kind administrators were told by mail, and when. `sites.audit.alerts` does all with it."""

    kind = models.CharField(max_length=32, primary_key=True)
    event_id = models.BigIntegerField(default=0)
    told_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")

    def __str__(self) -> Any:
        return self.kind
