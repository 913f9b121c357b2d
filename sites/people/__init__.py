"""People come, sign in, get and lose roles and tokens. Calls audit and tenancy."""
