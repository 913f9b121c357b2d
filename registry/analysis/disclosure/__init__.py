"""Small counts hidden, and whatever would give them away (complementary suppression). Calls reports."""
