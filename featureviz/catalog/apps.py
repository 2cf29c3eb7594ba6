"""What exists: models, dictionaries, corpora, runs, latents; and who may read it."""

from importlib import import_module

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """The catalog app."""

    name = "featureviz.catalog"
    label = "catalog"

    def ready(self) -> None:
        """Register the system checks."""
        import_module("featureviz.checks")
