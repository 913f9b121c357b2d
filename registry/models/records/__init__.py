"""Records of patients: the clinical tables, what is computed from them, and what becomes of a record."""
