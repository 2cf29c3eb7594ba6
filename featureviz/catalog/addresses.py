"""Addresses: `<model>/<dictionary>/<index>` to rows, for pages and commands alike.

What a reader may not see reads the same as what is not there.
"""

from datetime import datetime

from django.utils import timezone

from featureviz.catalog.models import Latent, Run


def readable_runs() -> list[Run]:
    """The run each dictionary shows, its newest published one, by address."""
    runs = Run.objects.readable().select_related("dictionary__model", "corpus")
    newest = {run.dictionary_id: run for run in runs.order_by("published_at")}
    return sorted(newest.values(), key=lambda run: str(run.dictionary))


def current_run(model: str, dictionary: str) -> Run | None:
    """The run a dictionary shows; none when there is nothing to read at the address."""
    runs = Run.objects.readable().select_related("dictionary__model", "corpus")
    named = runs.filter(dictionary__model__name=model, dictionary__name=dictionary)
    return named.order_by("published_at").last()


def find_latent(model: str, dictionary: str, index: int) -> Latent | None:
    """The latent at an address, its run, dictionary, model and corpus along with it."""
    latents = Latent.objects.readable().select_related(
        "run__dictionary__model", "run__dictionary__workspace", "run__corpus"
    )
    named = latents.filter(
        run__dictionary__model__name=model, run__dictionary__name=dictionary, index=index
    )
    # One or a few: to have the database sort them would cost the mapper a fifth of its time.
    return max(named.order_by(), key=_published_at, default=None)


def _published_at(latent: Latent) -> datetime:
    return latent.run.published_at or timezone.now()
