"""Counts beside the table of tests: EQ-5D, lesions, survival, the numbers of figures. Calls design and data."""
