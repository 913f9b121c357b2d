"""Databases of released versions, restored from the dumps beside this file, and `pg_dump` of any database.

A dump is a registry of synthetic people, made with that release's own code by the `fill.py` beside it; `keys.json` has
the keys it was encrypted and signed with, which nothing else ever used.
"""

import json
import lzma
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from registry.embedded.postgres import program
from registry.services.operations.backups import environment_of, parameters
from tests.conftest import at_the_server, copied, template

HERE = Path(__file__).parent
RELEASES = sorted(path.parent.name for path in HERE.glob("*/registry.sql.xz"))
# As a registry stood that was upgraded step by step while the migrations still read live declarations: the trigger of
# assessments knows nothing of an item that came later, and somebody had tried something out.
DRIFTED = """
DO $$
DECLARE
    whole text;
BEGIN
    SELECT pg_get_triggerdef(oid) INTO STRICT whole FROM pg_trigger
    WHERE tgname = 'record_stored' AND tgrelid = 'public.registry_assessment'::regclass;
    DROP TRIGGER record_stored ON public.registry_assessment;
    EXECUTE replace(whole, ',respondent', '');
END $$;
DROP TRIGGER audit_update ON public.registry_patient;
CREATE POLICY tried_out ON public.registry_patient USING (true);
CREATE FUNCTION public.tried_out() RETURNS integer LANGUAGE sql AS 'SELECT 1';
"""


def dump(release):
    return lzma.open(HERE / release / "registry.sql.xz", "rt", encoding="utf-8").read()


def keys(release):
    return json.loads((HERE / release / "keys.json").read_text())


def psql(sql):
    """Run a script in the database of the connection `owner`, all of it or nothing."""
    owner = connections["owner"]
    owner.close()
    options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-o", os.devnull]
    done = subprocess.run(
        [program("psql"), *options],
        input=sql,
        env=environment_of(parameters(owner)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[:2000]


def schema_of():
    """The tables, guards and rights of the database of `owner` as pg_dump writes them, without what varies by run."""
    owner = connections["owner"]
    owner.close()
    text = subprocess.run(
        [program("pg_dump"), "--schema-only"],
        env=environment_of(parameters(owner)),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


@contextmanager
def database(name, template="template0"):
    """A new database of this name, as empty as its template, behind `owner` and `default` until the block ends."""
    owner, application = connections["owner"], connections["default"]
    before = owner.settings_dict["NAME"], application.settings_dict["NAME"]
    owner.close()
    application.close()
    copied(template, name)
    owner.settings_dict["NAME"] = application.settings_dict["NAME"] = name
    try:
        yield
    finally:
        owner.close()
        application.close()
        owner.settings_dict["NAME"], application.settings_dict["NAME"] = before
        at_the_server(f'DROP DATABASE IF EXISTS "{name}"')


def database_name(suffix):
    return f"{connections['owner'].settings_dict['NAME']}_{suffix}"


@contextmanager
def upgraded(release, alone, *, drifted=False):
    """The registry of a release, upgraded to this version, behind both connections.

    alone  the fixture: the worker that comes first restores and upgrades it, each then has a copy
    """
    whole = f"{template()}_{release}{'_drifted' if drifted else ''}"
    with with_keys(release):
        with alone(whole) as made:
            if not made.exists():
                with database(database_name("restored")):
                    psql(dump(release))
                    if drifted:
                        psql(DRIFTED)
                    call_command("migrate", verbosity=0)
                    connections["owner"].close()
                    connections["default"].close()
                    copied(connections["owner"].settings_dict["NAME"], whole)
                made.touch()
        with database(database_name("upgraded"), whole):
            yield


@contextmanager
def with_keys(release):
    """The settings have the keys that the release's registry was encrypted and signed with, before the tests' own."""
    before = settings.FIELD_KEYS
    settings.FIELD_KEYS = [keys(release)["METASPINE_FIELD_KEYS"], *before]
    try:
        yield
    finally:
        settings.FIELD_KEYS = before
