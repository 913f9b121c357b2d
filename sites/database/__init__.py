"""What speaks to PostgreSQL and Redis faster or safer than the framework does. Calls tenancy."""
