"""What the last `migrate` wrote down of the guards that it put in place (registry/guards)."""

from django.db import migrations

TABLE = """
CREATE TABLE registry_guard (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), -- one row
    declared text NOT NULL,                           -- hash of the SQL that made the guards
    held jsonb NOT NULL,                              -- each object of the schema and a hash of its definition
    signature text NOT NULL,                          -- over both, with a key that the database does not have
    applied_at timestamptz NOT NULL
);
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_baseline")]

    operations = [migrations.RunSQL(TABLE, "DROP TABLE registry_guard")]
