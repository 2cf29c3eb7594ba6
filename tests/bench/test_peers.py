import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bench.peers.__main__ import write_subject
from bench.peers.comparison import rows, seconds_of_a_full_batch, versions
from bench.peers.environments import PEERS, requirements
from bench.peers.meter import Case, Cost
from bench.subjects import Size
from tests.environment import ROOT

COST = Cost(
    n_latents=4096,
    n_tokens=1000,
    seconds=20.0,
    cpu_seconds=10.0,
    loaded_mb=500.0,
    peak_mb=900.0,
    written_mb=30.0,
    versions={"torch": "2.13.0", "numpy": "2.4.6"},
)


def cost(n_latents, cpu_seconds):
    return replace(COST, n_latents=n_latents, cpu_seconds=cpu_seconds)


def found(**peers):
    return {row.name: row for row in rows({"featureviz": [COST], **peers})}


def test_a_full_batch_pays_one_forward_pass_and_each_of_its_latents():
    # 4 s of forward pass, 0.5 s a latent
    assert seconds_of_a_full_batch(cost(8, 8.0), cost(16, 12.0)) == pytest.approx(4 + 256 * 0.5)


def test_no_forward_pass_takes_less_than_nothing():
    assert seconds_of_a_full_batch(cost(8, 4.0), cost(16, 12.0)) == pytest.approx(256.0)


def test_more_latents_in_no_more_time_are_refused():
    with pytest.raises(ValueError, match="quieter machine"):
        seconds_of_a_full_batch(cost(8, 4.0), cost(16, 4.0))


def test_how_much_faster_ours_is_counts_latents_a_cpu_second():
    # 409.6 latents a second against 256 in 132 s
    row = found(sae_vis=[cost(16, 12.0), cost(8, 8.0)])["times faster than sae_vis"]
    assert row.value == pytest.approx(409.6 / (256 / 132), abs=0.05)
    assert row.ok
    assert "8 and 16 latents only" in row.note


def test_too_fast_a_peer_is_a_missed_limit():
    assert not found(sae_vis=[cost(16, 1.2), cost(8, 0.8)])["times faster than sae_vis"].ok


def test_ours_is_compared_on_the_same_tokens():
    other = replace(COST, n_tokens=4000, cpu_seconds=30.0)
    both = {"featureviz": [COST, other], "delphi": [COST, replace(other, cpu_seconds=20.0)]}
    values = {row.name: row for row in rows(both)}
    assert values["whole run / delphi's cache, 1,000 tokens"].value == 1.0
    assert values["whole run / delphi's cache, 4,000 tokens"].value == 1.5
    assert not values["whole run / delphi's cache, 4,000 tokens"].ok


def test_every_run_shows_its_time_and_its_memory():
    figures = found()
    assert figures["featureviz, 4,096 latents, 1,000 tokens"].value == 10.0
    assert figures["peak memory, featureviz, 4,096 latents, 1,000 tokens"].value == 900.0
    assert versions({"featureviz": [COST]}) == {"featureviz": "torch 2.13.0, numpy 2.4.6"}


def test_peers_share_the_torch_that_we_pin():
    files = [ROOT / "requirements.txt", *requirements("torch").parent.glob("*.txt")]
    pins = {re.findall(r"^torch==(\S+)$", path.read_text(), re.MULTILINE)[0] for path in files}
    assert len(pins) == 1
    assert len(files) == 2 + len(PEERS)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_has_requirements_and_a_driver(peer):
    assert requirements(peer.name).exists()
    assert (ROOT / "bench/peers" / f"with_{peer.name}.py").exists()


def test_another_models_latents_are_refused(tmp_path):
    latents = np.ones((2, 3, 4), np.float32)
    np.save(tmp_path / "codes.npy", latents)
    np.save(tmp_path / "tokens.npy", np.zeros((5, 3), np.int64))
    case = Case(tmp_path, tmp_path, 4, 5)
    case.check(lambda tokens: latents + 1e-5)
    with pytest.raises(SystemExit, match="not the same model"):
        case.check(lambda tokens: latents + 1e-2)


WORK = """
from bench.peers.meter import run
import time

def work(case, held):
    (case.out / "page.html").write_bytes(bytes(2_000_000))
    time.sleep(0.5)
    bytearray(150_000_000)

run(lambda case: None, work, ["numpy"])
"""


def test_a_meter_counts_the_work_and_not_its_parents_memory(tmp_path):
    np.save(tmp_path / "tokens.npy", np.zeros((5, 3), np.int64))
    (tmp_path / "out").mkdir()
    held = np.ones(100_000_000)  # 800 MB, of this process
    command = [sys.executable, "-c", WORK, tmp_path, tmp_path / "out", "7", "4"]
    subprocess.run(command, cwd=ROOT, check=True)
    measured = Cost.read(tmp_path / "out/cost.json")
    assert held.any()
    assert (measured.n_latents, measured.n_tokens) == (7, 12)
    assert measured.seconds >= 0.5 > measured.cpu_seconds
    assert measured.loaded_mb + 140 < measured.peak_mb < 600
    assert measured.written_mb == 2.0


def test_ours_is_measured_on_what_the_peers_get(tmp_path):
    size = Size(d_model=64, d_vocab=512, d_sae=128, l0=8, n_contexts=40, n_ctx=32)
    write_subject(tmp_path / "subject", size)
    (tmp_path / "out").mkdir()
    driver = [sys.executable, "-m", "bench.peers.with_featureviz", tmp_path / "subject"]
    subprocess.run([*driver, tmp_path / "out", "128", "32"], cwd=ROOT, check=True)
    measured = Cost.read(tmp_path / "out/cost.json")
    assert (measured.n_latents, measured.n_tokens) == (128, 32 * 32)
    packs = [path.parent.parent.name for path in (tmp_path / "out").rglob("*.pack")]
    assert len(packs) == 2  # dashboards, and the relations within the dictionary
    assert "relations" in packs
    config = json.loads((tmp_path / "subject/dictionary/cfg.json").read_text())
    assert config["d_sae"] == 128
