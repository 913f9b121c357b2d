"""One's own account: signing in, second factor, sessions, API tokens, the daily e-mail. Calls shared."""
