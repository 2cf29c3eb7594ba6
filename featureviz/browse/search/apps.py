"""Search: it keeps the words of explanations as rows of its own."""

from django.apps import AppConfig


class SearchConfig(AppConfig):
    """The search app."""

    name = "featureviz.browse.search"
    label = "search"

    def ready(self) -> None:
        """Follow explanations as they are written."""
        from featureviz.browse.search import explanations  # noqa: PLC0415 - models are ready now

        explanations.follow()
