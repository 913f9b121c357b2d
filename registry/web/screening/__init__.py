"""Pages of the screening log: whom a site looked at for the study. May call account, cohorts and shared."""
