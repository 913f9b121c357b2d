"""Soft checks, queries, verification and signing. Calls follow_up and records."""
