"""Search: it keeps the words of what people write as rows of its own."""

from django.apps import AppConfig


class SearchConfig(AppConfig):
    """The search app."""

    name = "featureviz.browse.search"
    label = "search"

    def ready(self) -> None:
        """Follow what people write."""
        from featureviz.browse.search import written  # noqa: PLC0415 - models are ready now

        written.follow()
