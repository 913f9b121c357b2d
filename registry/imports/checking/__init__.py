"""Files staged in the database and compared with what is stored, set-based. Calls files."""
