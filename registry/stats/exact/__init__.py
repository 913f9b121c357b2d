"""Exact tests: Fisher's, of tables of any size, those of ranks with ties, and which small samples get them."""
