"""A dictionary's health, gathered before it is drawn."""

from dataclasses import dataclass
from typing import Any

import msgspec

from featureviz.browse.formats import fixed, percent, whole
from featureviz.catalog.models import Run
from featureviz.dashboards.health import Health, read_health

_NOTHING = "—"


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its definition."""

    name: str
    value: str
    help: str  # beside it, always seen
    definition: str  # on demand


@dataclass(frozen=True)
class HealthPage:
    """How well a dictionary stands for what it reads."""

    run: Run
    health: Health

    @property
    def headline(self) -> list[Measure]:
        """What one asks first."""
        health, losses = self.health, self.health.losses
        return [
            Measure(
                "L0",
                fixed(health.l0, 2),
                "active latents a token",
                "Latents with an activation above 0, counted on each token, averaged over tokens.",
            ),
            Measure(
                "Explained variance",
                _share(health.explained_variance),
                f"FVU {_number(health.fvu, 4)}",
                "1 − FVU. FVU = Σ|x − x̂|² / Σ|x − mean x|², each sum over all tokens together, the "
                "mean taken over the same tokens: a constant offset is punished.",
            ),
            Measure(
                "Loss recovered",
                _share(losses.recovered_from_zero),
                f"from zeros; {_share(losses.recovered_from_mean)} from the mean",
                "(loss ablated − loss spliced) / (loss ablated − loss clean), ablated by zeros and "
                "by the corpus's mean. Zeros flatter: they cost the model most.",
            ),
            Measure(
                "Dead",
                percent(health.share_dead),
                f"{whole(health.n_dead)} of {whole(health.d_sae)} latents",
                f"Latents that never fired on these {whole(health.n_tokens)} tokens.",
            ),
            Measure(
                "Ultralow",
                percent(health.share_ultralow),
                f"{whole(health.n_ultralow)} of {whole(health.d_sae)} latents",
                "Latents that fired, but on ten tokens or fewer, or on less than one in a million.",
            ),
        ]

    @property
    def reconstruction(self) -> list[Measure]:
        """How near x̂ is to x."""
        health = self.health
        return [
            Measure("FVU", _number(health.fvu, 4), "", "Σ|x − x̂|² / Σ|x − mean x|²."),
            Measure(
                "Cosine", fixed(health.cosine, 4), "", "Mean over tokens of the cosine of x and x̂."
            ),
            Measure(
                "Norm ratio",
                fixed(health.norm_ratio, 4),
                "",
                "Mean over tokens of |x̂| / |x|; below 1 the reconstruction is shrunken.",
            ),
            Measure(
                "Reconstruction bias",
                _number(health.reconstruction_bias, 4),
                "",
                "Σ|x̂|² / Σ x·x̂; 1 where no rescaling of x̂ would bring it nearer to x.",
            ),
            Measure("L1", fixed(health.l1, 3), "", "Activations summed on each token, averaged."),
        ]

    @property
    def losses(self) -> list[tuple[str, str, str, str, str]]:
        """Loss and KL with each replacement, and what the dictionary recovers of it."""
        one = self.health.losses
        return [
            ("Clean", "nothing replaced", fixed(one.clean, 4), "", ""),
            ("Spliced", "x by x̂", fixed(one.spliced, 4), fixed(one.kl_spliced, 4), ""),
            (
                "Mean ablation",
                "x by its mean over the corpus",
                fixed(one.mean, 4),
                fixed(one.kl_mean, 4),
                _share(one.recovered_from_mean),
            ),
            (
                "Zero ablation",
                "x by zeros",
                fixed(one.zero, 4),
                fixed(one.kl_zero, 4),
                _share(one.recovered_from_zero),
            ),
        ]

    @property
    def kl_recovered(self) -> str:
        """Of the divergence that zeros cause, what the dictionary spares."""
        return _share(self.health.losses.kl_recovered)

    @property
    def norms_are_alike(self) -> bool:
        """Whether all decoder rows have one length."""
        return not self.health.decoder_norms.counts

    @property
    def most_alike(self) -> int:
        """Latents in the tallest bar of the densities."""
        return max(self.health.log_densities.counts, default=0)

    @property
    def density_ends(self) -> tuple[float, float]:
        """The first and the last edge of the densities."""
        edges = self.health.log_densities.edges
        return (edges[0], edges[-1]) if edges else (0.0, 0.0)

    @property
    def norm_ends(self) -> tuple[float, float]:
        """The first and the last edge of the norms."""
        edges = self.health.decoder_norms.edges
        return (edges[0], edges[-1]) if edges else (0.0, 0.0)


def health_record(run: Run) -> dict[str, Any]:
    """A dictionary's health as plain values. Raises: StoreError when it is not there."""
    health = read_health(run.folder)
    losses = health.losses
    return {
        "dictionary": str(run.dictionary),
        "run": run.key,
        **msgspec.to_builtins(health),
        "explained_variance": health.explained_variance,
        "share_dead": health.share_dead,
        "share_ultralow": health.share_ultralow,
        "losses": {
            **msgspec.to_builtins(losses),
            "recovered_from_zero": losses.recovered_from_zero,
            "recovered_from_mean": losses.recovered_from_mean,
            "kl_recovered": losses.kl_recovered,
        },
    }


def _number(value: float | None, decimals: int) -> str:
    return _NOTHING if value is None else fixed(value, decimals)


def _share(value: float | None) -> str:
    """A share that may lie outside 0 to 1: a reconstruction can be worse than none."""
    if value is None:
        return _NOTHING
    return percent(value) if 0 <= value <= 1 else f"{fixed(100 * value, 1)}\u202f%"
