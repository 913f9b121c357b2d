"""Whether a database has the guards that are declared: by what the last `migrate` wrote down and signed.

The signature is made with a key that the database does not have, so that whoever owns the database cannot drop a guard
and write down that it was never there.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass

from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.utils import timezone

from registry.guards import catalogue, declared

NAMED = 5  # differences that a sentence names
OURS = ("study_sites", "registry")
# What migrations make. A database administrator may add to it: nothing that guards hangs on what is added.
SCHEMA = ("index ", "column ", "table ", "constraint ")


class Unguarded(Exception):
    """The database does not have the guards that are declared; the text says which, and what to do."""


@dataclass(frozen=True)
class Manifest:
    """What the last `migrate` wrote down: the hash of the declared guards, and the hash of each object then there."""

    digest: str
    objects: dict
    is_signed: bool  # with a key of this deployment


def _keys():
    return [hmac.digest(urlsafe_b64decode(key), b"metaspine guards", "sha256") for key in settings.FIELD_KEYS]


def signature(digest, objects):
    """What `migrate` signs: which guards were declared, and what the database held after they were put in place."""
    return _signed(_keys()[0], digest, objects)


def _signed(key, digest, objects):
    return hmac.digest(key, json.dumps([digest, objects], sort_keys=True).encode(), hashlib.sha256).hex()


def manifest(cursor):
    """The Manifest of a database, None where there is none."""
    cursor.execute("SELECT to_regclass('public.registry_guard') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return None
    cursor.execute("SELECT declared, held::text, signature FROM registry_guard")
    row = cursor.fetchone()
    if row is None:
        return None
    digest, objects, signed = row[0], json.loads(row[1]), row[2]
    return Manifest(digest, objects, any(hmac.compare_digest(_signed(k, digest, objects), signed) for k in _keys()))


def differences(using=DEFAULT_DB_ALIAS):
    """What is wrong with the database's guards: a list of clauses, empty where all is as declared."""
    with transaction.atomic(using), connections[using].cursor() as cursor:
        stored = manifest(cursor)
        if stored is None:
            return ["this version's `migrate` never ran"]
        if stored.digest != declared.digest():
            return ["it has the guards of another version"]
        if not stored.is_signed:
            return ["what `migrate` wrote down of the guards is not signed with a key of METASPINE_FIELD_KEYS"]
        now = catalogue.held(cursor)
    return _changed(stored.objects, now) + lacking(now)


LATELY = 600  # seconds for which it is told what a look at the guards found, where it found nothing


def looked():
    """What `differences` finds now, which is noted for `lately`."""
    differing = differences()
    cache.set(_key(), timezone.now(), LATELY) if not differing else cache.delete(_key())
    return differing


def lately():
    """(what is wrong with the guards, when that was found): lately by the worker, if it found nothing, or now."""
    if at := cache.get(_key()):
        return [], at
    return looked(), timezone.now()


def _key():
    return f"guards-as-declared:{connections[DEFAULT_DB_ALIAS].settings_dict['NAME']}:{declared.digest()}"


def altered_schema(cursor):
    """What became of tables, columns, constraints and indexes since `migrate` wrote them down, as clauses.

    No migration did that, so `migrate` cannot mend it. Empty where the server's version is another, or this module's:
    they may write definitions otherwise.
    """
    stored = manifest(cursor)
    if stored is None or not stored.is_signed:
        return []
    now = catalogue.held(cursor)
    if any(stored.objects.get(name) != now[name] for name in ("server", "reader")):
        return []
    return [clause for clause in _changed(stored.objects, now) if clause.startswith(("column ", "constraint "))]


def _changed(stored, now):
    gone = [f"{name} is not there" for name in sorted(stored.keys() - now.keys())]
    changed = [f"{name} was changed" for name in sorted(stored.keys() & now.keys()) if stored[name] != now[name]]
    added = [f"{name} was added" for name in sorted(now.keys() - stored.keys()) if not name.startswith(SCHEMA)]
    return gone + changed + added


def lacking(now):
    """Columns and constraints of the models, and so of the declarations, that the database lacks, as clauses."""
    wanted = []
    for model in (model for app in OURS for model in apps.get_app_config(app).get_models(include_auto_created=True)):
        table = model._meta.db_table
        wanted += [f"column {table}.{field.column}" for field in model._meta.local_concrete_fields if field.column]
        wanted += [f"constraint {table}.{constraint.name}" for constraint in model._meta.constraints]
        wanted += [f"index {index.name}" for index in model._meta.indexes]
    # A unique constraint with a condition or an expression is an index to PostgreSQL.
    return [
        f"{name} is declared and not there: a migration is lacking"
        for name in sorted(wanted)
        if name not in now and f"index {name.rpartition('.')[2]}" not in now
    ]


def require(using=DEFAULT_DB_ALIAS):
    """Raise Unguarded unless the database has the guards that are declared."""
    if lacking := differences(using):
        raise Unguarded(sentence(lacking))


def listed(differences):
    return "; ".join(differences[:NAMED]) + (
        f"; and {len(differences) - NAMED} more" if len(differences) > NAMED else ""
    )


def sentence(differences):
    return (
        f"The database is not guarded as this version declares: {listed(differences)}. "
        "Run `manage.py migrate`, which puts the guards in place; where nobody upgraded, find out first who changed "
        "the database (docs/operations.md, “Guards of the database”)."
    )
