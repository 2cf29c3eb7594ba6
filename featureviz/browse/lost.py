"""What stands near an address that leads nowhere.

A run that is not published, or not for this reader, reads the same as one that is not there.
"""

import re
from dataclasses import dataclass
from typing import Self

from featureviz.catalog.addresses import current_run, readable_runs
from featureviz.catalog.models import Latent, Run

_FEW = 8


@dataclass(frozen=True, slots=True)
class Lost:
    """An address, and the way on from it."""

    path: str
    run: Run | None  # of the dictionary it names
    siblings: tuple[Run, ...]  # of the model it names; of all models when it names none
    nearest: int | None  # the index closest to the one asked for
    alive: tuple[Latent, ...]

    @classmethod
    def at(cls, path: str) -> Self:
        """Look around an address."""
        model, dictionary, rest = [*path.strip("/").split("/", 2), "", "", ""][:3]
        run = current_run(model, dictionary)
        runs = readable_runs()
        same_model = [each for each in runs if each.dictionary.model.name == model]
        return cls(
            path=path,
            run=run,
            siblings=tuple(same_model or runs),
            nearest=_nearest(run, rest) if run else None,
            alive=tuple(_strongest(run)) if run else (),
        )

    @property
    def last(self) -> int:
        """The largest index of the dictionary."""
        return self.run.dictionary.d_sae - 1 if self.run else 0


def _nearest(run: Run, text: str) -> int | None:
    """The index to offer for what stands where an index should."""
    number = re.match(r"(-?\d{1,12})", text)
    return max(0, min(int(number.group()), run.dictionary.d_sae - 1)) if number else None


def _strongest(run: Run) -> list[Latent]:
    latents = Latent.objects.readable().filter(run=run).alive()
    return list(latents.order_by("-max_activation")[:_FEW])
