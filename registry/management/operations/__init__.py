"""Commands that keep it running: backups, keys, erasure, checks of records and signatures. May call services."""
