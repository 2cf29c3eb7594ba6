"""What people read: pages and the JSON beside them."""

from django.apps import AppConfig


class BrowseConfig(AppConfig):
    """The browse app."""

    name = "featureviz.browse"
    label = "browse"
