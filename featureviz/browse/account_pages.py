"""A person's own page."""

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from featureviz.annotate.models import Explanation
from featureviz.catalog.models import Membership

_LATEST = 50


@never_cache
@require_safe
def profile(request: HttpRequest) -> HttpResponse:
    """Who somebody is here, and what they wrote."""
    user = request.user
    if not user.is_authenticated:
        return redirect_to_login(request.path)
    written = Explanation.objects.readable(user).filter(author=user)
    context = {
        "accounts": settings.FEATUREVIZ_ACCOUNTS,
        "memberships": Membership.objects.filter(user=user).select_related("workspace"),
        "explanations": written.select_related("dictionary__model").order_by("-created_at")[
            :_LATEST
        ],
    }
    return render(request, "people/profile.html", context)
