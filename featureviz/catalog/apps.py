"""What exists: models, dictionaries, corpora, runs, latents; and who may read it."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """The catalog app."""

    name = "featureviz.catalog"
    label = "catalog"
