"""The addresses of the API as the resolver knows them: for the root, the documentation and the schema."""

from django.urls import get_resolver


def patterns():
    """The API's URL patterns, in the order in which `registry.api.urls` has them."""
    _prefix, resolver = get_resolver().namespace_dict["api"]
    return resolver.url_patterns
