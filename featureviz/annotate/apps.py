"""What people write: explanations and their history."""

from django.apps import AppConfig


class AnnotateConfig(AppConfig):
    """The annotate app."""

    name = "featureviz.annotate"
    label = "annotate"
