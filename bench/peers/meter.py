"""What a piece of work costs, taken inside its own process.

Needs Python and numpy alone: every peer runs it in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

_CLOSE = 1e-3  # activations are of the order of 1; another kernel sums in another order


@dataclass(frozen=True)
class Case:
    """What to work on: `model/`, `dictionary/`, `tokens.npy` and `codes.npy` of a folder."""

    folder: Path
    out: Path  # everything written goes here
    n_latents: int  # the first so many
    n_contexts: int  # the first so many

    @property
    def hook(self) -> str:
        """The hook point the dictionary reads."""
        config = json.loads((self.folder / "dictionary" / "cfg.json").read_text())
        return str(config["metadata"]["hook_name"])

    @property
    def tokens(self) -> Any:
        """Token ids int64 [n_contexts, n_ctx]."""
        return np.load(self.folder / "tokens.npy")[: self.n_contexts]

    def check(self, encode: Callable[[Any], Any]) -> None:
        """Refuse a subject that is not ours: `encode` maps tokens [n, n_ctx] to dense latents.

        Raises: SystemExit when the activations of the first contexts are not those of `codes.npy`.
        """
        expected = np.load(self.folder / "codes.npy")
        found = np.asarray(encode(self.tokens[: len(expected)]))
        apart = float(np.abs(found - expected).max())
        if apart > _CLOSE or not expected.any():
            raise SystemExit(f"not the same model, dictionary and tokens: latents {apart:g} apart")


@dataclass(frozen=True)
class Cost:
    """What one run took, model load apart."""

    n_latents: int
    n_tokens: int  # positions, BOS with them
    seconds: float  # wall
    cpu_seconds: float  # of all threads
    loaded_mb: float  # resident when the work began
    peak_mb: float
    written_mb: float
    versions: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Cost:
        """What `run` left."""
        return cls(**json.loads(path.read_text()))


def run(load: Callable[[Case], T], work: Callable[[Case, T], None], packages: list[str]) -> None:
    """Load, work, and write what the work cost to `OUT/cost.json`."""
    case = _case()
    subject = load(case)
    loaded = _megabytes("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    work(case, subject)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    cost = Cost(
        case.n_latents,
        case.tokens.size,
        round(seconds, 2),
        round(cpu_seconds, 2),
        loaded,
        _megabytes("VmHWM"),
        _written(case.out),
        {name: version(name) for name in packages},
    )
    (case.out / "cost.json").write_text(json.dumps(asdict(cost)))


def _case() -> Case:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("n_latents", type=int)
    parser.add_argument("n_contexts", type=int)
    return Case(**vars(parser.parse_args()))


def _megabytes(field: str) -> float:
    """A memory figure of this process; unlike getrusage's, it knows nothing of a parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return round(int(kilobytes) / 1024, 1)


def _written(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 1)
