"""What operators and time ask for: backups, keys, erasure, daily e-mails. Calls follow_up and records."""
