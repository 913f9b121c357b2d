"""Forms of a patient filled in and corrected, their drafts and conflicts. Calls review and shared."""
