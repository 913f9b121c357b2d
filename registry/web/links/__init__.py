"""Links by which patients answer for themselves, and settling what they answered. Calls entry and shared."""
