"""Data taken out: exports with a preview, and snapshots. Calls shared."""
