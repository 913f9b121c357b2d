"""A comparison's result as typed rows, which are read from JSON and write themselves to it. Calls no other room."""
