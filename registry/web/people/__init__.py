"""Who may do what at which site: people, roles, invitations, the delegation log, enrolment. Calls account, shared."""
