from allauth.socialaccount import apps as social_apps
from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _

from sites.logs import redaction


class SitesConfig(AppConfig):
    name = "sites"
    label = "study_sites"  # `sites` is the label of django.contrib.sites
    verbose_name = _("Sites and people")

    def ready(self) -> None:
        from sites.people import signals  # noqa: F401  registers them
        from sites.tenancy import checks  # noqa: F401  registers them

        redaction.install()


class AdminScreensConfig(admin_apps.SimpleAdminConfig):
    """Django's admin with our rule of who may open it; stands in INSTALLED_APPS in place of `django.contrib.admin`.

    The screens are found by registry/urls.py: commands and workers have no use for them, nor time to import them.
    """

    default = False
    default_site = "sites.admin_site.AdminScreens"


class SingleSignOnConfig(social_apps.SocialAccountConfig):
    """django-allauth's app, which loads its providers, and an HTTP client with them, when registry/urls.py is."""

    default = False

    def ready(self) -> None:
        from allauth.socialaccount import checks  # noqa: F401  registers them
