"""Review of records: queries, signatures, and what serious events tell whom."""
