"""The schedule, a patient's visits, and the end of follow-up. Calls records."""
