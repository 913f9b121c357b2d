"""What was checked is stored, or an import undone. Calls checking."""
