"""Estimates that the data may not determine."""

from registry.stats.arrays import NotEstimable

NOT_ESTIMABLE = "not estimable because {}"


def attempted(make, otherwise):
    """What `make()` gives; `otherwise(reason)` where the data do not determine it."""
    try:
        return make()
    except NotEstimable as why:
        return otherwise(NOT_ESTIMABLE.format(why))
