"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path

from registry.admin import value_sets

admin.autodiscover()  # the screens of administration, which only pages need

handler500 = "registry.health.errors.server_error"

urlpatterns = [
    path("", include("registry.web.urls")),  # first what is asked for most: each address before it is tried
    path("", include("registry.web.account_urls")),
    path("", include("registry.web.exports_urls")),
    path("", include("registry.web.transfer_urls")),
    # Each further part of the site adds one line here, in the order of the navigation.
    path("", include("registry.web.queries_urls")),
    path("", include("registry.web.signing_urls")),
    path("", include("registry.web.patient_links_urls")),
    path("", include("registry.web.comparison_urls")),
    path("", include("registry.web.cohorts_urls")),
    path("", include("registry.web.figures_urls")),
    path("", include("registry.web.people_urls")),
    path("", include("registry.web.audit_urls")),
    path("", include("registry.web.tokens_urls")),
    path("api/v1/", include("registry.api.urls")),
    path("api/fhir/R4/", include("registry.api.fhir.urls")),
    path("admin/value-sets/", value_sets.value_set_list, name="admin_value_sets"),
    path("admin/value-sets/<str:code>/", value_sets.value_set_detail, name="admin_value_set"),
    path("admin/", admin.site.urls),
]
