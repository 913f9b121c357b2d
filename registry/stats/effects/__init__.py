"""Effects with intervals: proportions and their contrasts, shifts, standardised differences, families of intervals."""
