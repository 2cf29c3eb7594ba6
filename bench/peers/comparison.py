"""From what each run cost to rows: how much faster than each peer, and in how much memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.peers.meter import Cost
from bench.rows import Row, ratio

OURS = "featureviz"
_BATCH = 256  # latents that SAEDashboard and sae_vis make of one forward pass, by their defaults
_TIMES_FASTER = {"sae_dashboard": 50.0, "sae_vis": 150.0}

Costs = Mapping[str, Sequence[Cost]]  # by name


def rows(costs: Costs) -> list[Row]:
    """Every comparison that can be made of these runs, then every run."""
    found = [_times_faster(name, costs) for name in _TIMES_FASTER if name in costs]
    if "delphi" in costs:
        found += _beside_delphi(costs)
    return found + [row for name in costs for cost in costs[name] for row in _run(name, cost)]


def versions(costs: Costs) -> dict[str, str]:
    """What each was measured with, in words."""
    return {
        name: ", ".join(f"{package} {number}" for package, number in runs[0].versions.items())
        for name, runs in costs.items()
    }


def seconds_of_a_full_batch(few: Cost, more: Cost) -> float:
    """CPU seconds of the 256 latents that share one forward pass, from runs of fewer.

    The forward pass is paid once a batch, the rest once a latent: a line through both runs. What
    noise would make the forward pass less than nothing is set to nothing, in the peer's favour.

    Raises: ValueError where more latents took no more time: too few, or too busy a machine.
    """
    each = (more.cpu_seconds - few.cpu_seconds) / (more.n_latents - few.n_latents)
    if each <= 0:
        raise ValueError(
            f"{more.n_latents} latents took {more.cpu_seconds} s and {few.n_latents} took "
            f"{few.cpu_seconds} s: measure again on a quieter machine."
        )
    return max(few.cpu_seconds - each * few.n_latents, 0.0) + each * _BATCH


def _times_faster(name: str, costs: Costs) -> Row:
    few, more = sorted(costs[name], key=lambda cost: cost.n_latents)
    theirs = _BATCH / seconds_of_a_full_batch(few, more)
    (ours,) = (cost for cost in costs[OURS] if cost.n_tokens == more.n_tokens)
    note = (
        f"latents a CPU second, {ours.n_latents / ours.cpu_seconds:.0f} against {theirs:.2f}; "
        f"{name} measured on {few.n_latents} and {more.n_latents} latents only, its rate is that "
        f"of full batches of {_BATCH} on the line through both; {more.n_tokens:,} tokens each"
    )
    value = ours.n_latents / ours.cpu_seconds / theirs
    limit = _TIMES_FASTER[name]
    return Row(f"times faster than {name}", round(value, 1), "ratio", limit, False, None, note)


def _beside_delphi(costs: Costs) -> list[Row]:
    ours = {cost.n_tokens: cost for cost in costs[OURS]}
    return [
        ratio(
            f"whole run / delphi's cache, {theirs.n_tokens:,} tokens",
            [(ours[theirs.n_tokens].cpu_seconds, theirs.cpu_seconds)],
            1.0,
            "CPU seconds; dashboards written, against activations written",
        )
        for theirs in costs["delphi"]
    ]


def _run(name: str, cost: Cost) -> list[Row]:
    what = f"{name}, {cost.n_latents:,} latents, {cost.n_tokens:,} tokens"
    wall = f"{cost.n_latents / cost.cpu_seconds:.3g} latents a CPU second; wall {cost.seconds:g} s"
    loaded = f"{cost.loaded_mb:.0f} MB of it once loaded; {cost.written_mb:g} MB written"
    return [
        Row(what, cost.cpu_seconds, "CPU s", note=wall),
        Row(f"peak memory, {what}", cost.peak_mb, "MB", note=loaded),
    ]
