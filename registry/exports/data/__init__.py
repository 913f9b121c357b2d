"""Tables of an export: columns as SQL, who is in them, rows as `COPY` writes them. Calls `choices` alone."""
