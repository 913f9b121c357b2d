"""The pages of plans: the builder, what it recodes, saved versions, and what parts of a plan are called."""
