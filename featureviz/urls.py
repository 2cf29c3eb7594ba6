"""The site map."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("featureviz.browse.urls")),
    path("", include("featureviz.browse.people_urls")),
    path("accounts/", include("allauth.urls")),
]

handler404 = "featureviz.browse.views.not_found"
handler500 = "featureviz.browse.views.broken"
