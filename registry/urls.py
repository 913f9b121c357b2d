"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path

from registry.admin import value_sets
from registry.api.schema.root import Root
from registry.fhir.server.bundles import Transactions

admin.autodiscover()  # the screens of administration, which only pages need

handler500 = "registry.health.errors.server_error"

urlpatterns = [
    # First what is asked for most: each address before it is tried. A prefix of its own is one try for all others.
    path("api/v1", Root.as_view(), name="api_base"),  # as the OpenAPI document writes it
    path("api/v1/", include("registry.api.urls")),
    path("api/fhir/R4", Transactions.as_view(), name="fhir_base"),  # engines leave the last slash out
    path("api/fhir/R4/", include("registry.fhir.server.urls")),
    path("", include("registry.web.entry.urls")),
    path("", include("registry.web.start.urls")),
    path("", include("registry.web.patients.urls")),
    path("", include("registry.web.consent.urls")),
    path("", include("registry.web.screening.urls")),
    path("", include("registry.web.schedule.urls")),
    path("", include("registry.web.study.urls")),
    path("", include("registry.web.account.urls")),
    path("", include("registry.web.exports.urls")),
    path("", include("registry.web.imports.urls")),
    # Each further part of the site adds one line here, in the order of the navigation.
    path("", include("registry.web.monitoring.urls")),
    path("", include("registry.web.quality.urls")),
    path("", include("registry.web.review.query_urls")),
    path("", include("registry.web.review.signing_urls")),
    path("", include("registry.web.links.urls")),
    path("", include("registry.web.comparison.urls")),
    path("", include("registry.web.cohorts.urls")),
    path("", include("registry.web.comparison.figure_urls")),
    path("", include("registry.web.people.urls")),
    path("", include("registry.web.audit.urls")),
    path("", include("registry.web.system.urls")),
    path("", include("registry.web.account.token_urls")),
    path("admin/value-sets/", value_sets.value_set_list, name="admin_value_sets"),
    path("admin/value-sets/<str:code>/", value_sets.value_set_detail, name="admin_value_set"),
    path("admin/", admin.site.urls),
]
