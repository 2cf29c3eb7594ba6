"""`python -m bench.peers`: install the peers, measure ours beside them, write results.json here."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from bench.engine import prepare_size
from bench.peers.comparison import OURS, rows, versions
from bench.peers.environments import PEERS, python_of
from bench.peers.meter import Cost
from bench.rows import table_line, write
from bench.subjects import Size
from featureviz.engine.precompute import Bench

_ROOT = Path(__file__).resolve().parents[2]
_HOME = _ROOT / "var" / "peers"
_SMALL, _LARGE, _WARM = 512, 2048, 32  # contexts of 128 tokens
_SIZE = Size(n_contexts=_LARGE)
_ALL = _SIZE.d_sae
# (latents, contexts) of each run. All latents would take the first two peers half an hour.
_RUNS = {
    OURS: ((_ALL, _SMALL), (_ALL, _LARGE)),
    "sae_dashboard": ((64, _SMALL), (256, _SMALL)),
    "sae_vis": ((16, _SMALL), (64, _SMALL)),
    "delphi": ((_ALL, _SMALL), (_ALL, _LARGE)),
}


def main(arguments: list[str]) -> int:
    """Install, measure, write; 1 when a figure missed its limit."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers")
    names = [peer.name for peer in PEERS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="these peers")
    parser.add_argument("--threads", type=int, default=1, help="of torch, for everybody")
    options = parser.parse_args(arguments)
    chosen = [peer for peer in PEERS if peer.name in options.only]
    pythons = {peer.name: python_of(peer, _HOME) for peer in chosen}
    costs = _costs({OURS: Path(sys.executable)} | pythons, options.threads)
    found = rows(costs)
    threads = {"threads": str(options.threads)}
    write("peers", found, Path(__file__).with_name("results.json"), versions(costs) | threads)
    for row in found:
        print(table_line(row))
    return 0 if all(row.ok for row in found) else 1


def _costs(pythons: dict[str, Path], threads: int) -> dict[str, list[Cost]]:
    with TemporaryDirectory(prefix="featureviz-peers-") as name:
        folder = Path(name)
        write_subject(folder / "subject", _SIZE)
        _run(folder, OURS, pythons[OURS], (_ALL, _WARM), threads)  # compiled and cached, once
        return {
            name: [_run(folder, name, python, size, threads) for size in _RUNS[name]]
            for name, python in pythons.items()
        }


@torch.inference_mode()
def write_subject(folder: Path, size: Size) -> None:
    """Model, dictionary, texts; their tokens, and the latents of the first contexts as proof."""
    folder.mkdir()
    bench = Bench(prepare_size(folder, size).plan, folder / "store")
    tokens = np.asarray(bench.corpus.tokens, np.int64)
    np.save(folder / "tokens.npy", tokens)
    x = bench.subject.activations(torch.from_numpy(tokens[:2]), size.hook)
    codes = bench.dictionary.codes(x.flatten(0, 1)).dense()
    np.save(folder / "codes.npy", codes.view(2, size.n_ctx, -1).numpy())


def _run(folder: Path, name: str, python: Path, size: tuple[int, int], threads: int) -> Cost:
    n_latents, n_contexts = size
    print(f"{name}: {n_latents:,} latents, {n_contexts:,} contexts", flush=True)
    with TemporaryDirectory(dir=folder) as out:
        driver = [str(python), "-m", f"bench.peers.with_{name}"]
        done = subprocess.run(
            [*driver, str(folder / "subject"), out, str(n_latents), str(n_contexts)],
            cwd=_ROOT,
            env=_environment(threads),
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
        return Cost.read(Path(out) / "cost.json")


def _environment(threads: int) -> dict[str, str]:
    """No hub, and as many threads for everybody."""
    each = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
    return os.environ | each | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
