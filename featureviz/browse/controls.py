"""Who may stop and start work."""

from django.conf import settings
from django.http import HttpRequest

from featureviz.annotate.local import is_from_here
from featureviz.annotate.roles import may
from featureviz.catalog.models import Run
from featureviz.catalog.permissions import Action


def may_control(request: HttpRequest, run: Run) -> bool:
    """Whether this request may cancel and resume a run: by role, or from this very machine."""
    if settings.FEATUREVIZ_OPEN_CONTROLS:
        return True
    return may(Action.CONTROL, run) if settings.FEATUREVIZ_ACCOUNTS else is_from_here(request)
