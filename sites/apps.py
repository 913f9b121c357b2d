from django.apps import AppConfig


class SitesConfig(AppConfig):
    name = "sites"
    label = "study_sites"  # `sites` is the label of django.contrib.sites
    verbose_name = "Sites and people"

    def ready(self):
        from sites import checks, signals  # noqa: F401  registers them
