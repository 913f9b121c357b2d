"""Models: linear (ANCOVA), logistic, and for repeated measures; least-squares means. Calls arrays and tails alone."""
