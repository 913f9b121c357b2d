"""The only settings. What a deployment chooses comes from the environment; `docker/.env.example` explains each."""

import os
import tempfile
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from kombu import Queue

from sites.languages import further_languages

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name, default=None):
    """A setting from the environment, or from the file that `<name>_FILE` names. Without a default it is required."""
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text().strip()
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"Set the environment variable {name}; docker/.env.example explains it.")
    return value


def flag(name, default="0"):
    return env(name, default).lower() in {"1", "true", "yes", "on"}


def listed(name, default=""):
    return [part.strip() for part in env(name, default).split(",") if part.strip()]


def database(url, authority="", pooled=False):
    """Django's database settings for a `postgresql://user:password@host:port/name?host=/socket/folder` address.

    authority  file of the certificate authority: then over TLS alone, with a server of the address's own name
    pooled     whether a pooler in transaction mode stands before it: the session is another's after each transaction
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if authority:
        if (options.get("host") or "").startswith("/"):
            raise ImproperlyConfigured("METASPINE_DATABASE_CA is for a database on another machine, not for a socket.")
        options |= {"sslmode": "verify-full", "sslrootcert": authority}
    return {
        "ENGINE": "sites.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", None) or unquote(parts.hostname or ""),
        "PORT": options.pop("port", None) or str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": True,
        "DISABLE_SERVER_SIDE_CURSORS": pooled,
        "OPTIONS": {
            "server_side_binding": True,
            "prepare_threshold": None if pooled else 3,
            "connect_timeout": "5",
        }
        | options,
    }


def broker(url, authority=""):
    """The broker's address; with the file of a certificate `authority`, over TLS with a server of that name alone."""
    if not authority:
        return url
    if not url.startswith("rediss://"):
        raise ImproperlyConfigured("With METASPINE_REDIS_CA, REDIS_URL begins with rediss://.")
    parts = urlsplit(url)
    checks = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true", "ssl_ca_certs": authority}
    return urlunsplit(parts._replace(query=urlencode(dict(parse_qsl(parts.query)) | checks)))


def bucket(url, key, secret, authority=""):
    """The options of django-storages' S3Storage for `s3://bucket/prefix?endpoint=https://host:9000&region=name`."""
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc:
        raise ImproperlyConfigured("METASPINE_STORE is empty, for a folder, or begins with s3:// and names a bucket.")
    options = dict(parse_qsl(parts.query))
    return {
        "bucket_name": parts.netloc,
        "location": parts.path.strip("/"),
        "endpoint_url": options.get("endpoint"),
        "region_name": options.get("region"),
        "access_key": key,
        "secret_key": secret,
        "verify": authority or None,
    }


def mail_server(url):
    """Django's mail settings for `smtp://user:password@host:port`, with `smtp+tls://` or `smtps://` for TLS."""
    parts = urlsplit(url)
    ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
    if parts.scheme not in ports or not parts.hostname:
        raise ImproperlyConfigured("METASPINE_EMAIL_URL begins with smtp://, smtp+tls:// or smtps:// and names a host.")
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or ports[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
    }


DEBUG = flag("METASPINE_DEBUG")
SECRET_KEY = env("METASPINE_SECRET_KEY")
FIELD_KEYS = listed("METASPINE_FIELD_KEYS", None)
ALLOWED_HOSTS = listed("METASPINE_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = listed("METASPINE_CSRF_TRUSTED_ORIGINS")
SYNTHETIC = flag("METASPINE_SYNTHETIC")
SMALL_CELLS = int(env("METASPINE_SMALL_CELLS", "0"))
EXPORT_KEY = env("METASPINE_EXPORT_KEY", "") or SECRET_KEY  # by how much each patient's dates are shifted
EXPORT_FOLDER = Path(env("METASPINE_EXPORTS", "") or Path(env("METASPINE_DATA", "") or BASE_DIR / "var") / "exports")
# Finished files that all hosts share: that folder, mounted everywhere, or a bucket.
STORE_URL = env("METASPINE_STORE", "")
STORE = (
    bucket(STORE_URL, env("METASPINE_STORE_KEY"), env("METASPINE_STORE_SECRET"), env("METASPINE_STORE_CA", ""))
    if STORE_URL
    else {}
)
# Where the last seals of the audit trail are kept outside the database: a folder that web and worker share.
SEAL_FOLDER = Path(env("METASPINE_SEALS", "") or Path(env("METASPINE_DATA", "") or BASE_DIR / "var") / "seals")
SEAL_MAIL = listed("METASPINE_SEAL_MAIL")  # who gets the first seal of each day by e-mail
EXPORT_DAYS = int(env("METASPINE_EXPORT_DAYS", "7"))
DRAFT_DAYS = int(env("METASPINE_DRAFT_DAYS", "30"))
EXPORT_RECORDS_KEPT = timedelta(days=int(env("METASPINE_EXPORT_RECORD_DAYS", "365")))  # after the file is gone
DOWNLOADS_PER_HOUR = int(env("METASPINE_DOWNLOADS_PER_HOUR", "120"))  # of one person; 0 for no limit
CLAMD = env("METASPINE_CLAMD", "")  # a virus scanner for uploads: tcp://host:3310 or unix:///path
IMPORT_FILES_KEPT = timedelta(days=int(env("METASPINE_IMPORT_DAYS", "1")))  # of imports that nobody decides about
ACCESS_RECORDS_KEPT = timedelta(days=int(env("METASPINE_ACCESS_RECORD_DAYS", "90")))  # sessions, invitations, tokens
# Backups by the schedule: where (the service `backup` alone needs the folder), from which hour of the study's time zone
# on, for how many days all and for how many months the first of each are kept, how often one is restored as a drill.
BACKUP_FOLDER = env("METASPINE_BACKUPS", "")
BACKUP_HOUR = int(env("METASPINE_BACKUP_HOUR", "1"))
BACKUP_DAYS = int(env("METASPINE_BACKUP_DAYS", "35"))
BACKUP_MONTHS = int(env("METASPINE_BACKUP_MONTHS", "12"))
BACKUP_DRILL_DAYS = int(env("METASPINE_BACKUP_DRILL_DAYS", "30"))  # 0 for never
BACKUP_MAX_AGE_HOURS = int(env("METASPINE_BACKUP_MAX_AGE_HOURS", "0"))  # older is an alarm; 0 for none
FISHER_SECONDS = float(env("METASPINE_FISHER_SECONDS", "60"))
MCID = env("METASPINE_MCID", "")

INSTALLED_APPS = [
    "sites.apps.AdminScreensConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "sites.apps.SingleSignOnConfig",
    "allauth.socialaccount.providers.openid_connect",
    "rest_framework",
    "drf_spectacular",
    "sites",
    "registry",
    "registry.management.analyses",
    "registry.management.demo",
    "registry.management.operations",
    "registry.management.transfer",
    "import_export",  # after us: its commands are ours (registry/management/transfer/elsewhere.py)
]

MIDDLEWARE = [
    "registry.health.requests.RequestMiddleware",
    "registry.health.middleware.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "registry.api.shared.problems.ProblemMiddleware",
    "csp.middleware.CSPMiddleware",
    "sites.middleware.PageMethods",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "sites.middleware.PersonMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "registry.web.account.session.SessionLimits",
    "registry.web.account.session.SignInFirst",
    "sites.middleware.NullByteMiddleware",
    "sites.middleware.ScopeMiddleware",
    "registry.web.account.session.SecondFactorRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "registry.web.shared.transfers.ScannedUploads",
    "registry.web.shared.transfers.LimitedDownloads",
    "registry.web.account.session.NotAPage",
]

ROOT_URLCONF = "registry.urls"
WSGI_APPLICATION = "registry.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["django.templatetags.i18n", "django.templatetags.static", "registry.web.shared.tags"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "registry.web.start.context.frame",
            ],
        },
    }
]
FORM_RENDERER = "registry.web.shared.drawing.form_widgets.Renderer"  # the text of Django's templates, in Python

# The application's role owns nothing; migrations run as the owner (sites/management/commands/migrate.py).
DATABASE_CA = env("METASPINE_DATABASE_CA", "")
DATABASE_POOLER = flag("METASPINE_DATABASE_POOLER")
DATABASES = {"default": database(env("DATABASE_URL"), DATABASE_CA, DATABASE_POOLER)}
DATABASES["owner"] = database(env("OWNER_DATABASE_URL", env("DATABASE_URL")), DATABASE_CA) | {
    "ATOMIC_REQUESTS": False,
    "CONN_MAX_AGE": 0,
}
# A hot standby, for what only reads and takes long; seconds that such work waits for it to have everything committed.
if REPLICA_URL := env("REPLICA_DATABASE_URL", ""):
    DATABASES["replica"] = database(REPLICA_URL, DATABASE_CA) | {
        "ATOMIC_REQUESTS": False,
        "TEST": {"MIRROR": "default"},
    }
REPLICA_SECONDS = float(env("METASPINE_REPLICA_SECONDS", "10"))
# What one statement may take, and wait for a lock, before it ends with an error; wsgi.py sets both for what it serves.
STATEMENT_SECONDS = int(env("METASPINE_STATEMENT_SECONDS", "0"))
LOCK_SECONDS = int(env("METASPINE_LOCK_SECONDS", "0"))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = broker(env("REDIS_URL"), env("METASPINE_REDIS_CA", ""))
CACHES = {
    "default": {
        "BACKEND": "sites.database.redis_cache.RedisCache",
        # Celery spells a unix socket redis+socket://…?virtual_host=1, redis-py unix://…?db=1.
        "LOCATION": REDIS_URL.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db="),
        "KEY_PREFIX": "metaspine",
    },
    # What must not be forgotten with Redis, and commits with what it is about: that a form was sent already.
    "durable": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "registry_durable_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}
# In the database alone: a session that was ended while Redis was away must not come back with it.
SESSION_ENGINE = "sites.people.sessions"
SESSION_IDLE_SECONDS = 60 * int(env("METASPINE_SESSION_IDLE_MINUTES", "30"))
SESSION_COOKIE_AGE = 3600 * int(env("METASPINE_SESSION_HOURS", "12"))  # from the sign-in, whatever happens
SESSION_WARNING_SECONDS = 120  # before the end, a dialog asks whether to stay
SESSION_COOKIE_HTTPONLY = True

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_ACKS_LATE = True  # a killed worker's task comes back; every task is safe to run twice
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True  # results live in the database, with who asked and why it failed
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 1  # seconds; nobody who saves waits longer for a broker that is away
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_connect_timeout": 1,
    "socket_timeout": 20,
    "queue_order_strategy": "priority",  # a worker of several queues takes from the first that has something
}
# What somebody waits for with a form or a mail; what somebody asked for and comes back to; what is only drawn ahead.
URGENT, JOBS, FIGURES = QUEUES = ("urgent", "jobs", "figures")
CELERY_TASK_QUEUES = [Queue(name) for name in QUEUES]
CELERY_TASK_DEFAULT_QUEUE = URGENT
CELERY_TASK_ROUTES = {
    f"registry.tasks.{task}": {"queue": queue}
    for queue, tasks in {
        JOBS: (
            "run_comparison",
            "run_erasing",
            "run_export",
            "run_freezing",
            "run_import",
            "compute_all_outcomes",
            "check_all_forms",
            "verify_audit",
            "keep_counts",
            "look_for_pairs",
            "count_cohort",
            "count_scorecards",
            "list_cohort",
            "preview_export",
        ),
        FIGURES: ("prepare_comparison_files",),
    }.items()
    for task in tasks
}
JOBS_PER_PERSON = int(env("METASPINE_JOBS_PER_PERSON", "1"))  # of each kind, carried out at once
# A task that takes longer ends with an error, and the process with it if it does not listen. Memory in kB: a process
# that holds more is replaced after its task.
TASK_SECONDS = int(env("METASPINE_TASK_SECONDS", "3600"))
CELERY_TASK_SOFT_TIME_LIMIT = TASK_SECONDS
CELERY_TASK_TIME_LIMIT = TASK_SECONDS + 300
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 1024 * int(env("METASPINE_WORKER_MB", "1024"))
CELERY_BEAT_SCHEDULER = "registry.health.beat:OneScheduler"
CELERY_BEAT_SCHEDULE = {
    "send_digests": {"task": "registry.tasks.send_digests", "schedule": 900.0},  # from the hour set below, once a day
    # Redis redelivers a lost message only after the visibility timeout; the sweeper does not wait for it.
    "sweep": {"task": "registry.tasks.sweep", "schedule": 30.0},
    "compute_all_outcomes": {"task": "registry.tasks.compute_all_outcomes", "schedule": 3600.0},
    "check_all_forms": {"task": "registry.tasks.check_all_forms", "schedule": 3600.0},
    # The hourly ones look at what changed since. Once a night everything is looked at, whatever was lost or deleted.
    "compute_all_outcomes_anew": {
        "task": "registry.tasks.compute_all_outcomes",
        "schedule": crontab(hour=2, minute=10),
        "kwargs": {"anew": True},
    },
    "check_all_forms_anew": {
        "task": "registry.tasks.check_all_forms",
        "schedule": crontab(hour=2, minute=40),
        "kwargs": {"anew": True},
    },
    "keep_counts": {"task": "registry.tasks.keep_counts", "schedule": 300.0},
    "look_for_pairs": {"task": "registry.tasks.look_for_pairs", "schedule": crontab(hour=3, minute=10)},
    "forget_api_answers": {"task": "registry.tasks.forget_api_answers", "schedule": 3600.0},
    "forget_drafts": {"task": "registry.tasks.forget_drafts", "schedule": 3600.0},
    "purge_expired": {"task": "registry.tasks.purge_expired", "schedule": 6 * 3600.0},
    "seal_audit": {"task": "registry.tasks.seal_audit", "schedule": 300.0},
    "alert_administrators": {"task": "registry.tasks.alert_administrators", "schedule": 60.0},
    "tell_of_serious_events": {"task": "registry.tasks.tell_of_serious_events", "schedule": 60.0},
    "count_scorecards": {"task": "registry.tasks.count_scorecards", "schedule": crontab(hour=3, minute=5)},
    "send_scorecards": {
        "task": "registry.tasks.send_scorecards",
        "schedule": crontab(day_of_month=1, hour=8, minute=15),
    },
    "watch_backups": {"task": "registry.tasks.watch_backups", "schedule": 600.0},
    "forget_attempts": {"task": "registry.tasks.forget_attempts", "schedule": 600.0},
    "verify_audit": {"task": "registry.tasks.verify_audit", "schedule": crontab(hour=18, minute=20)},  # UTC
    "verify_whole_audit": {
        "task": "registry.tasks.verify_audit",
        "args": [True],
        "schedule": crontab(hour=19, minute=20, day_of_week=6),
    },
}

AUTH_USER_MODEL = "study_sites.User"
AUTHENTICATION_BACKENDS = ["sites.backend.Backend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},  # 20 000 from breaches, offline
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_RESET_TIMEOUT = 4 * 3600
INVITATION_DAYS = int(env("METASPINE_INVITATION_DAYS", "7"))

# Who must have a second factor: whoever sees identifiers or more than one site, and everybody with a central role;
# looser, those with a central role alone (administrators among them), or nobody; stricter, everybody.
SECOND_FACTOR = env("METASPINE_SECOND_FACTOR", "identifiers")
if SECOND_FACTOR not in {"identifiers", "central", "all", "none"}:
    raise ImproperlyConfigured("METASPINE_SECOND_FACTOR is identifiers, central, all or none.")

ACCOUNT_ADAPTER = "registry.web.account.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]  # nobody signs up; the password field of the sign-in follows from it
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # an invitation reached the address
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Metaspine: "
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
ACCOUNT_SESSION_REMEMBER = False  # the cookie goes with the browser
ACCOUNT_FORMS = {
    "login": "registry.web.account.forms.SignInForm",
    "reset_password": "registry.web.account.forms.ForgottenPasswordForm",
    "reset_password_from_key": "registry.web.account.forms.NewPasswordForm",
    "change_password": "registry.web.account.forms.ChangePasswordForm",
    "reauthenticate": "registry.web.account.forms.ConfirmPasswordForm",
}
# By the network address someone comes from (a hospital shares one) and by person: `sites.attempts` counts, in
# the database. Passwords (signing in, confirming, signing) and codes: what is right does not count. A None switches off
# a limit that django-allauth would keep in the cache beside ours.
ACCOUNT_RATE_LIMITS = {
    "login_failed": "100/15m/ip,10/15m/key",
    "code_failed": "100/15m/ip,10/15m/key",
    "forgotten_password": "60/15m/ip,5/15m/key",
    "password_link": "60/15m/ip",
    "invitation": "60/15m/ip",
    "patient_link": "600/15m/ip,120/15m/key",
    "api_token": "60/15m/ip",
} | dict.fromkeys(("login", "reset_password", "reset_password_from_key", "change_password", "reauthenticate"))
ACCOUNT_REAUTHENTICATION_TIMEOUT = 5 * 60  # since signing in or confirming who one is, before a sensitive act
ALLAUTH_TRUSTED_PROXY_COUNT = int(env("METASPINE_PROXIES", "0"))

MFA_ADAPTER = "registry.web.account.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Metaspine"
MFA_TOTP_TOLERANCE = 1  # clocks of phones differ: the codes before and after the present one count too
MFA_RECOVERY_CODE_DIGITS = 10
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
MFA_FORMS = {
    "authenticate": "registry.web.account.forms.CodeForm",
    "reauthenticate": "registry.web.account.forms.ConfirmCodeForm",
    "activate_totp": "registry.web.account.forms.ActivateAppForm",
    "add_webauthn": "registry.web.account.forms.AddKeyForm",
    "edit_webauthn": "registry.web.account.forms.RenameKeyForm",
}

# Single sign-on with an OpenID Connect provider, for people who have an account here.
OIDC_URL = env("METASPINE_OIDC_URL", "")
SOCIALACCOUNT_ADAPTER = "registry.web.account.adapters.SingleSignOnAdapter"
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_STORE_TOKENS = False
OPENID_CONNECT_URL_PREFIX = ""
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": env("METASPINE_OIDC_NAME", "Single sign-on"),
                "client_id": env("METASPINE_OIDC_CLIENT_ID"),
                "secret": env("METASPINE_OIDC_CLIENT_SECRET"),
                "settings": {"server_url": OIDC_URL},
            }
        ]
        if OIDC_URL
        else [],
    }
}

# Whom to ask who cannot sign in, as the pages say it: a name, a number, an address.
CONTACT = env("METASPINE_CONTACT", "")

# Without an address of a mail server no mail is written, nor a link made that one would carry: links are for
# administrators to copy.
EMAIL_URL = env("METASPINE_EMAIL_URL", "")
MAIL = bool(EMAIL_URL)
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if MAIL else 'dummy'}.EmailBackend"
if MAIL:
    globals().update(mail_server(EMAIL_URL))
EMAIL_TIMEOUT = 20
DIGEST_HOUR = int(env("METASPINE_DIGEST_HOUR", "7"))  # of the study's time zone; 24 for never
# Where e-mails that no request asked for lead to.
ADDRESS = (env("METASPINE_ADDRESS", "") or next(iter(CSRF_TRUSTED_ORIGINS), "http://localhost:8000")).rstrip("/")
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env("METASPINE_EMAIL_FROM", "metaspine@localhost")

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGES = [("en", _("English")), ("ja", _("Japanese")), *further_languages(LOCALE_PATHS[0])]
TIME_ZONE = env("METASPINE_TIME_ZONE", "Asia/Tokyo")
USE_TZ = True
FORMAT_MODULE_PATH = "registry.locale_formats"

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env("METASPINE_STATIC_ROOT", "") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None  # without collectstatic, files are served from where they are
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
# The page that matches an import sends a field for each column, of which a file may have 2 000, and for each value.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

TLS = flag("METASPINE_TLS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = TLS
if TLS:  # a browser then takes these cookies over TLS alone, and from this very host
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    LANGUAGE_COOKIE_NAME = "__Host-language"
SECURE_HSTS_SECONDS = 31_536_000 if TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = TLS
# The lists that browsers come with are hard to leave, and concern a whole domain: never without being asked for.
SECURE_HSTS_PRELOAD = TLS and flag("METASPINE_HSTS_PRELOAD")
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # it asks for that preload
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TLS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "object-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        # A browser applies this to where a form's answer redirects too: the sign-on page of the provider.
        "form-action": [SELF, *([f"https://{urlsplit(OIDC_URL).netloc}"] if OIDC_URL else [])],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

REST_FRAMEWORK = {
    # The token first: it says what a 401 asks for. A session needs the CSRF token for what it changes, as on the pages.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "registry.api.shared.signing_in.ByToken",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "registry.api.schema.openapi.Described",
    "EXCEPTION_HANDLER": "registry.api.shared.problems.handler",
    "URL_FORMAT_OVERRIDE": None,
}
API_RATES = {"token": 600, "address": 1200}  # requests a minute
SPECTACULAR_SETTINGS = {
    "TITLE": "Metaspine",
    "VERSION": "1",
    "DESCRIPTION": "The registry's own rules by another way in: the same services, permissions and audit trail.",
    "OAS_VERSION": "3.1.0",
    "SERVERS": [{"url": "/", "description": "this registry"}],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": True,
    "COMPONENT_SPLIT_REQUEST": False,
    "POSTPROCESSING_HOOKS": ["registry.api.schema.openapi.complete"],
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
}

# Secrets are taken out of every record (`sites.logs.redaction`, put in place by the app), whatever handler writes it.
DEFAULT_EXCEPTION_REPORTER_FILTER = "sites.logs.error_reports.WithoutValues"
LOG_FORMAT = env("METASPINE_LOG_FORMAT", "plain")
if LOG_FORMAT not in {"plain", "json"}:
    raise ImproperlyConfigured("METASPINE_LOG_FORMAT is plain or json.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "()": "sites.logs.redaction.Formatter",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        },
        "json": {"()": "sites.logs.json_lines.Formatter"},
    },
    "filters": {"requests": {"()": "sites.logs.request_lines.RequestFilter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["requests"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
LOG_REQUESTS = flag("METASPINE_LOG_REQUESTS")  # every one, by the name of its view; slow and failed ones always
SLOW_REQUEST_SECONDS = int(env("METASPINE_SLOW_REQUEST_MS", "2000")) / 1000

# Metrics for who shows the token, and reports of errors to a Sentry-compatible service; by default neither.
METRICS_TOKEN = env("METASPINE_METRICS_TOKEN", "")
if METRICS_TOKEN:  # web processes of a host share their counts there; read as prometheus_client is imported
    os.environ.setdefault(
        "PROMETHEUS_MULTIPROC_DIR", str(Path(tempfile.gettempdir(), f"metaspine-metrics-{os.getuid()}"))
    )
    Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(mode=0o700, exist_ok=True)
SENTRY_DSN = env("METASPINE_SENTRY_DSN", "")
