"""`python -m tests.releases.hold`: write down the hashes of all migrations, when a version is released."""

import hashlib
import json

from tests.releases.test_migrations import MIGRATIONS, PROJECT

if __name__ == "__main__":
    hashes = {path: hashlib.sha256((PROJECT / path).read_bytes()).hexdigest() for path in MIGRATIONS}
    (PROJECT / "tests/releases/migrations.json").write_text(json.dumps(hashes, indent=1) + "\n")
