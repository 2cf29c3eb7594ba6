"""How well a dictionary stands for what it reads: one record a run, written once."""

from __future__ import annotations

from pathlib import Path

import msgspec

from featureviz.dashboards.schema import Histogram, Record
from featureviz.dashboards.store import StoreError, write_atomically

_FILE = "health.json"


class Losses(Record, frozen=True):
    """Next-token losses of the model with its activations at the hook point replaced.

    Means in nats over the same predictions in every run. Special and padding positions keep what
    flowed there. KL is KL(clean || replaced).
    """

    n_contexts: int  # evenly spaced over the corpus
    n_tokens: int  # predictions: counted tokens but a context's first
    clean: float  # nothing replaced
    spliced: float  # by the reconstruction
    zero: float  # by zeros
    mean: float  # by the mean over the corpus's counted tokens
    kl_spliced: float
    kl_zero: float
    kl_mean: float

    @property
    def recovered_from_zero(self) -> float | None:
        """(zero − spliced) / (zero − clean): 1 is perfect; None: zeros cost nothing."""
        return _recovered(self.zero, self.spliced, self.clean)

    @property
    def recovered_from_mean(self) -> float | None:
        """The same against the mean, a harder baseline."""
        return _recovered(self.mean, self.spliced, self.clean)

    @property
    def kl_recovered(self) -> float | None:
        """(KL zero − KL spliced) / KL zero."""
        return _recovered(self.kl_zero, self.kl_spliced, 0.0)


class Health(Record, frozen=True):
    """A dictionary over a corpus. x is an activation at the hook point, x^ its reconstruction."""

    n_tokens: int  # counted positions all sums are over
    d_sae: int
    l0: float  # active latents a token
    l1: float  # summed activation a token
    fvu: float | None  # Σ|x − x^|² / Σ|x − mean x|²; None: x never varies
    cosine: float  # mean over tokens of cos(x, x^)
    norm_ratio: float  # mean over tokens of |x^| / |x|
    reconstruction_bias: float | None  # Σ|x^|² / Σ x·x^; 1: not shrunken
    n_dead: int  # latents that never fired on these tokens
    n_ultralow: int  # hardly ever (dashboards/density.py)
    n_above_hundredth: int  # density > 1 %
    n_above_tenth: int  # density > 10 %
    log_densities: Histogram  # log10 of the density of the latents that fired
    decoder_norms: Histogram  # the lowest edge is included; empty when all are alike
    smallest_norm: float
    median_norm: float
    largest_norm: float
    losses: Losses

    @property
    def explained_variance(self) -> float | None:
        """1 − FVU."""
        return None if self.fvu is None else 1 - self.fvu

    @property
    def share_dead(self) -> float:
        """Of the latents."""
        return self.n_dead / self.d_sae

    @property
    def share_ultralow(self) -> float:
        """Of the latents; dead ones are not among them."""
        return self.n_ultralow / self.d_sae


def write_health(run: Path, health: Health) -> None:
    """Write a run's health; the same health gives the same bytes."""
    write_atomically(run / _FILE, msgspec.json.encode(health))


def read_health(run: Path) -> Health:
    """A run's health. Raises: StoreError when it is not there or damaged."""
    try:
        return msgspec.json.decode((run / _FILE).read_bytes(), type=Health)
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreError(f"{_FILE}: {error}") from error


def _recovered(worst: float, found: float, best: float) -> float | None:
    return (worst - found) / (worst - best) if worst != best else None
