"""Queries, verification against source, and signatures. Calls account (to confirm who signs) and shared."""
