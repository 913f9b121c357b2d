"""A monitor's plan, shares verified, closing of answered queries, the report of a visit. Calls review and shared."""
