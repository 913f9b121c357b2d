"""The length of a text column: how many characters a model's field takes."""

from django.db.models import Model


def longest(model: type[Model], name: str) -> int:
    """TypeError where the field has no bound."""
    bound = getattr(model._meta.get_field(name), "max_length", None)
    if bound is None:
        raise TypeError(f"{model.__name__}.{name} has no bound")
    return bound
