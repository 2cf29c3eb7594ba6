"""How cost and memory grow with the corpus and with the dictionary."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.engine import bare, prepare_size, whole
from bench.rows import Row, seconds
from bench.subjects import Size
from featureviz.engine.plan import Plan
from featureviz.engine.precompute import Bench

_LARGE = Size(d_sae=24_576, n_contexts=256)
_MEMORY_LIMIT = 600.0  # MB of state, whatever the corpus


def rows() -> Iterator[Row]:
    """Time over tokens, forward passes over latents, memory over tokens."""
    one, two, four = (_run_seconds(Size(n_contexts=n)) for n in (512, 1024, 2048))
    note = f"{one:.1f} s, {two:.1f} s, {four:.1f} s"
    yield Row("growth tokens ×2", round(two / one / 2, 3), "time ratio / 2", 1.15, note=note)
    yield Row("growth tokens ×4", round(four / one / 4, 3), "time ratio / 4", 1.15, note=note)
    for d_sae in (4096, 16_384):
        yield Row(
            f"forward passes a context, {d_sae:,} latents",
            _forward_share(Size(n_contexts=256, d_sae=d_sae)),
            "passes",
            1.0,
            note=f"{d_sae // 256} blocks: the model ran once",
        )
    small, large = _state_megabytes(_LARGE), _state_megabytes(replace(_LARGE, n_contexts=2048))
    yield Row("state, 24,576 latents", large, "MB", _MEMORY_LIMIT, note=f"×1 corpus: {small} MB")
    yield Row("state, corpus ×8", round(large / small, 2), "ratio", 1.25)


def _run_seconds(size: Size) -> float:
    with TemporaryDirectory(prefix="featureviz-bench-") as name:
        folder = Path(name)
        bench = Bench(prepare_size(folder, size).plan, folder / "store")
        bare(bench)  # warm
        return seconds(lambda: whole(bench))


def _forward_share(size: Size) -> float:
    """Forward passes made, over the fewest that read every context once."""
    with TemporaryDirectory(prefix="featureviz-bench-") as name:
        folder = Path(name)
        bench = Bench(prepare_size(folder, size).plan, folder / "store")
        passes = 0
        forward = bench.subject.bridge.run_with_hooks

        def counting(*args: object, **kwargs: object) -> object:
            nonlocal passes
            passes += 1
            return forward(*args, **kwargs)

        bench.subject.bridge.run_with_hooks = counting
        whole(bench)
        return passes / -(-bench.plan.n_contexts // bench.plan.batch_size)


def _state_megabytes(size: Size) -> float:
    """Peak memory of a whole run over that of forward and encoding alone, in a fresh process."""
    with TemporaryDirectory(prefix="featureviz-bench-") as name:
        folder = Path(name)
        plan = prepare_size(folder, size).plan
        (folder / "plan.json").write_text(json.dumps(plan.as_json()))
        command = [sys.executable, "-m", "bench.growth", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def _measure_state(folder: Path) -> float:
    plan = Plan.from_json(json.loads((folder / "plan.json").read_text()))
    bench = Bench(plan, folder / "store")
    bare(bench)
    before = _peak_megabytes()
    whole(bench)
    return round(_peak_megabytes() - before, 1)


def _peak_megabytes() -> float:
    """Of this program alone: getrusage's figure begins with that of the process it came from."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    print(_measure_state(Path(sys.argv[1])))
