"""A comparison carried out: the runner, the life of a run, versions, differences. Calls presentation and below."""
