"""Pages of a patient's consents, of what was withdrawn, and of attached files. May call account, cohorts and shared."""
