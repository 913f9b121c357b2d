"""Sites, people and roles, the tenancy that the database guards, and the audit trail. The app below `registry`.

Rooms: people → audit and tenancy; database holds what speaks to PostgreSQL and Redis.
"""
