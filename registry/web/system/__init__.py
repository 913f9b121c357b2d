"""The system as its administrators see it: the check-up, what waits, and what failed, to be done once more."""
