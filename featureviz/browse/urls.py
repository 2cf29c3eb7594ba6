"""The pages, as a site map. The first segment is a model's name, or one of ours."""

from django.urls import path, register_converter
from django.views.generic import RedirectView

from featureviz.browse import (
    api,
    ask_views,
    asking,
    compare_views,
    components,
    map_views,
    run_pages,
    sharing,
    views,
)
from featureviz.browse.rest import page
from featureviz.browse.rest.routes import api as rest
from featureviz.browse.search import views as search
from featureviz.browse.table import files
from featureviz.catalog.models import NAME_PATTERN, RESERVED


class NameConverter:
    """A model's or a dictionary's name."""

    regex = NAME_PATTERN

    def to_python(self, value: str) -> str:
        """The name as it stands in the address."""
        return value

    def to_url(self, value: object) -> str:
        """The name as it stands in the address."""
        return str(value)


class ModelConverter(NameConverter):
    """A model's name: what we keep for ourselves is not one."""

    regex = rf"(?!(?:{'|'.join(RESERVED)})(?:/|$)){NAME_PATTERN}"


class IndexConverter(NameConverter):
    """A latent's index as written; one so long that no dictionary has it is not one."""

    regex = "[0-9]{1,9}"


class KeyConverter(NameConverter):
    """A run's key, or at least its first eight digits."""

    regex = "[0-9a-f]{8,64}"


register_converter(KeyConverter, "key")
register_converter(NameConverter, "name")
register_converter(ModelConverter, "model")
register_converter(IndexConverter, "index")

urlpatterns = [
    path("", views.front, name="front"),
    path("api/", page.routes, name="api"),
    path("api/", rest.urls),
    path("compare", compare_views.compare, name="compare"),
    path("compare/weights", compare_views.weights, name="compare-weights"),
    path("compare.json", compare_views.record, name="compare-json"),
    path("search", search.search, name="search"),
    path("search/complete", search.completions, name="search-complete"),
    path("components/", components.components, name="components"),
    path("components/<index:index>", components.components),
    path("embed/<name:model>/<name:dictionary>/<index:index>", sharing.embed, name="embed"),
    path("runs/", run_pages.every, name="runs"),
    path("runs/<key:key>/", run_pages.one, name="run"),
    path("runs/<key:key>/live", run_pages.live, name="run-live"),
    path("runs/<key:key>/cancel", run_pages.cancel, name="run-cancel"),
    path("runs/<key:key>/resume", run_pages.resume, name="run-resume"),
    path("questions/<uuid:question>", asking.live, name="question"),
    path("search/text", ask_views.by_text, name="by-text"),
    path("<model:model>/", views.model, name="model"),
    path("<model:model>/<name:dictionary>/", views.dictionary, name="dictionary"),
    path("<model:model>/<name:dictionary>/latents.csv", files.latents_csv, name="latents-csv"),
    path(
        "<model:model>/<name:dictionary>/latents.parquet",
        files.latents_parquet,
        name="latents-parquet",
    ),
    path("<model:model>/<name:dictionary>/random", views.random, name="random"),
    path("<model:model>/<name:dictionary>/health", views.health, name="health"),
    path("<model:model>/<name:dictionary>/health.json", api.health, name="health-json"),
    path("<model:model>/<name:dictionary>/map", map_views.page, name="map"),
    path("<model:model>/<name:dictionary>/map.json", map_views.points, name="map-json"),
    path("<model:model>/<name:dictionary>/map.svg", map_views.picture, name="map-svg"),
    path("<model:model>/<name:dictionary>/<index:index>", views.latent, name="latent"),
    path("<model:model>/<name:dictionary>/<index:index>/row", views.row, name="row"),
    path("<model:model>/<name:dictionary>/<index:index>.png", sharing.picture, name="preview"),
    path("<model:model>/<name:dictionary>/<index:index>.json", api.feature, name="latent-json"),
    path(
        "<model:model>/<name:dictionary>/<index:index>/effects", ask_views.effects, name="effects"
    ),
    path("<model:model>/<name:dictionary>/<index:index>/text", ask_views.own_text, name="own-text"),
    path(
        "<model:model>/<name:dictionary>/<index:index>/",
        RedirectView.as_view(pattern_name="latent", query_string=True),
    ),
]
