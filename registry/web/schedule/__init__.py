"""The schedule of visits in versions. Calls shared."""
