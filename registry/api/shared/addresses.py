"""The addresses of the API as the resolver knows them: for the root, the documentation, the schema, and of records."""

from django.urls import get_resolver

from registry.services.row_addresses import address_of


def patterns():
    """The API's URL patterns, in the order in which `registry.api.urls` has them."""
    _prefix, resolver = get_resolver().namespace_dict["api"]
    return resolver.url_patterns


def location_of(request, name, *keys):
    """Where a record is, for the header Location: the whole address, as clients reach the API."""
    return request.build_absolute_uri(address_of(f"api:{name}", *keys))
