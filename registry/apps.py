from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RegistryConfig(AppConfig):
    name = "registry"
    verbose_name = _("Schedule")  # what the administration screens have of it

    def ready(self):
        from registry.instruments import catalogue
        from registry.services.protocol import current

        catalogue.provide(current.current)
