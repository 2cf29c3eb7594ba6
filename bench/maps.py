"""The map of 25,000 latents: laid out, served, and zoomed in a real browser.

Chromium draws in software where there is no GPU; what the page itself computes a frame is told
apart from what the frames took there.
"""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.rows import Row

N_LATENTS = 25_000
_D_IN = 768
_FRAMES = 60
_SCRIPT_LIMIT = 16.0  # ms a frame: what is left of one at 60 a second, were drawing free
_SITE = f"""
import django
django.setup()
import numpy as np, torch
from django.utils import timezone
from featureviz.catalog.models import Corpus, Dictionary, LanguageModel, Latent, Run
from featureviz.dashboards.maps import write_map
from featureviz.engine.latent_map import latent_map
from time import process_time
n, d = {N_LATENTS}, {_D_IN}
random = np.random.default_rng(0)
centres = random.normal(size=(40, d))
rows = centres[random.integers(40, size=n)] + 2 * random.normal(size=(n, d))
rows = torch.from_numpy(rows.astype(np.float32))
model = LanguageModel.objects.create(name="bench", source="", digest="m", architecture="",
    n_layers=1, d_model=d, d_vocab=2)
coder = Dictionary.objects.create(model=model, name="wide", source="", digest="d",
    architecture="topk", hook="blocks.0.hook_resid_pre", d_in=d, d_sae=n)
corpus = Corpus.objects.create(digest="c", name="none", n_contexts=1, context_size=128,
    n_tokens=127)
run = Run.objects.create(key="b" * 64, dictionary=coder, corpus=corpus,
    plan={{"block_size": 256}}, state=Run.State.DONE, published_at=timezone.now())
density = 10 ** random.uniform(-6, -1, n)
Latent.objects.bulk_create(Latent(run=run, index=i, n_active=int(1e7 * density[i]),
    density=density[i], max_activation=float(random.uniform(1, 30)), mean_activation=1.0,
    top_token=f" token {{i % 997}}", promoted_token=f" word {{i % 991}}") for i in range(n))
began = process_time()
write_map(run.folder, latent_map(rows, "d"))
print(process_time() - began)
"""
_ZOOM = """(frames) => new Promise((done) => {
  const drag = document.querySelector(".nsewdrag");
  const box = drag.getBoundingClientRect();
  const [clientX, clientY] = [box.left + box.width / 2, box.top + box.height / 2];
  const took = [];
  let before = performance.now();
  const frame = (now) => {
    took.push(now - before);
    before = now;
    if (took.length > frames) return done(took.slice(1));
    const deltaY = took.length % 20 < 10 ? -30 : 30;
    const turn = { deltaY, clientX, clientY, bubbles: true, cancelable: true };
    drag.dispatchEvent(new WheelEvent("wheel", turn));
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""


def rows() -> Iterator[Row]:
    """Made, served, drawn, zoomed."""
    with TemporaryDirectory(prefix="featureviz-bench-") as name, _site(Path(name)) as (url, made):
        yield Row(
            "map made, 25,000 rows of 768", round(made, 2), "CPU s", note="PCA and 12 clusters"
        )
        yield from _served(url)
        yield from _drawn(url)


@contextmanager
def _site(data: Path) -> Iterator[tuple[str, float]]:
    """A production server over a synthetic run; and the CPU seconds its map took."""
    env = {
        **os.environ, "FEATUREVIZ_DATA": str(data), "OMP_NUM_THREADS": "1",
        "DJANGO_SETTINGS_MODULE": "featureviz.settings",
    }  # fmt: skip
    for job in ("migrate", "collectstatic"):
        command = [sys.executable, "manage.py", job, "--noinput", "-v0"]
        subprocess.run(command, env=env, check=True)
    made = subprocess.run(
        [sys.executable, "-c", _SITE], env=env, check=True, capture_output=True, text=True
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "featureviz.wsgi", "--no-control-socket",
         "--log-level", "warning", "--bind", address, "--threads", "4"], env=env,
    )  # fmt: skip
    try:
        _wait_for(f"http://{address}/")
        yield f"http://{address}/bench/wide/map", float(made.stdout)
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{url} does not answer.")


def _served(url: str) -> Iterator[Row]:
    for name, ending in (("map, page", ""), ("map, points", ".json"), ("map, picture", ".svg")):
        took, body = [], b""
        for _ in range(5):
            began = time.perf_counter()
            with urllib.request.urlopen(url + ending) as reply:
                body = reply.read()
            took.append(1000 * (time.perf_counter() - began))
        kilobytes = len(gzip.compress(body, 6)) / 1000
        yield Row(name, round(median(took)), "ms", note=f"{kilobytes:.0f} kB compressed")


def _drawn(url: str) -> Iterator[Row]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - of the tests' requirements

    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        began = time.perf_counter()
        page.goto(url)
        page.locator("#how").wait_for(timeout=120_000)
        opened = time.perf_counter() - began
        page.evaluate(_ZOOM, 10)  # warm
        watch = page.context.new_cdp_session(page)
        watch.send("Profiler.enable")
        watch.send("Profiler.start")
        frames = page.evaluate(_ZOOM, _FRAMES)
        script = _script_milliseconds(watch.send("Profiler.stop")["profile"]) / _FRAMES
        browser.close()
    yield Row("map, opened and drawn", round(opened, 2), "s", note="4.8 MB of Plotly included")
    yield Row("map, script a frame of zoom", round(script, 1), "ms", _SCRIPT_LIMIT)
    spread = (min(frames), max(frames))
    yield Row("map, frame of zoom in software", round(median(frames), 1), "ms", spread=spread,
              note="SwiftShader, no GPU")  # fmt: skip


def _script_milliseconds(profile: dict[str, Any]) -> float:
    """Time in scripts and in what they call, drawing and waiting for it left out."""
    names = {node["id"]: node["callFrame"]["functionName"] for node in profile["nodes"]}
    sampled = zip(profile["samples"], profile["timeDeltas"], strict=True)
    aside = ("(program)", "(idle)", "(root)")
    return sum(delta for node, delta in sampled if names[node] not in aside) / 1000
