"""What a reader sees and waits for in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from bench.rows import Row

_CHROMIUM = "/usr/bin/chromium"
_VISITS = 5
_HOVERED = 200
_OBSERVE = """
  window.seen = { paint: 0, shift: 0, csp: 0 };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.seen.paint = entry.startTime;
  }).observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver((list) => {
    const unasked = list.getEntries().filter((entry) => !entry.hadRecentInput);
    for (const entry of unasked) window.seen.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  document.addEventListener("securitypolicyviolation", () => { window.seen.csp += 1; });
"""
# One hover: the pointer comes onto a token, then what is shown is laid out. Rows are in view.
_HOVER = """
  (count) => {
    const rows = [...document.querySelectorAll(".groups .row")];
    const times = [];
    for (let at = 0; at < count; at += 1) {
      const row = rows[(at * 7) % rows.length];
      row.scrollIntoView({ block: "center" });
      const boxes = [...row.querySelectorAll("p b")].map((mark) => mark.getBoundingClientRect());
      const { left, right } = row.querySelector("p").getBoundingClientRect();
      const seen = boxes.filter((box) => box.width > 0 && box.x >= left && box.right <= right);
      if (!seen.length) continue;
      const box = seen[at % seen.length];
      const x = box.x + box.width / 2, y = box.y + box.height / 2;
      const target = document.elementFromPoint(x, y);
      if (!target || !row.contains(target)) continue;
      const start = performance.now();
      target.dispatchEvent(new PointerEvent("pointerover",
        { bubbles: true, clientX: x, clientY: y, pointerType: "mouse" }));
      const tip = document.getElementById("tip");
      const shown = tip && !tip.hidden && tip.getBoundingClientRect().width > 0;
      if (shown) times.push(performance.now() - start);
    }
    return times.sort((one, other) => one - other);
  }
"""


@dataclass
class Visit:
    """One opening of a page with an empty cache."""

    host: str
    bytes: float = 0.0
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    seen: dict[str, float] = field(default_factory=dict)

    def listen(self, page: Page) -> None:
        """Count what travels and what goes wrong."""
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", self._came)

    def _said(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def _asked(self, url: str) -> None:
        if urlsplit(url).netloc not in {self.host, ""}:
            self.elsewhere.append(url)

    def _came(self, event: dict[str, float]) -> None:
        self.bytes += event["encodedDataLength"]


def rows(address: str, latent: str) -> Iterator[Row]:
    """Figures of a latent's page in headless Chromium."""
    with sync_playwright() as playwright:
        flags = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=flags)
        visits = [visit(browser, address, latent) for _ in range(_VISITS)]
        yield from _of_visits(visits)
        yield hover(browser, address + latent)
        browser.close()


def visit(browser: Browser, address: str, path: str) -> Visit:
    """Open a page as a reader who was never here; 1440 by 900."""
    found = Visit(urlsplit(address).netloc)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(_OBSERVE)
    found.listen(page)
    page.goto(address + path, wait_until="networkidle")
    page.wait_for_timeout(300)
    found.seen = page.evaluate("window.seen")
    context.close()
    return found


def hover(browser: Browser, url: str) -> Row:
    """From a pointer's arrival on a token to its card laid out; first touches of rows included."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(url, wait_until="networkidle")
    times = page.evaluate(f"({_HOVER})({_HOVERED})")
    page.close()
    assert len(times) > _HOVERED / 2, "tokens were not hovered"
    p95 = times[int(0.95 * len(times))]
    note = f"{len(times)} tokens; median {times[len(times) // 2]:.1f}; script and layout"
    return Row("hover to tooltip, p95", round(p95, 1), "ms", 16, True, (times[0], times[-1]), note)


def _of_visits(visits: list[Visit]) -> Iterator[Row]:
    paints = sorted(visit.seen["paint"] / 1000 for visit in visits)
    first = max(visit.bytes for visit in visits) / 1000
    complaints = [said for visit in visits for said in visit.complaints]
    yield Row("first view", round(first, 1), "kB", 250, note="page, styles and scripts")
    spread = (paints[0], paints[-1])
    yield Row("largest paint", round(paints[len(paints) // 2], 2), "s", 1.0, True, spread)
    shift = max(visit.seen["shift"] for visit in visits)
    yield Row("layout shift", round(shift, 4), "", 0.05)
    elsewhere = sum(len(visit.elsewhere) for visit in visits)
    yield Row("requests to other hosts", elsewhere, "", 0)
    yield Row("console errors", len(complaints), "", 0, note="; ".join(complaints[:1]))
    yield Row("violations of the content policy", sum(v.seen["csp"] for v in visits), "", 0)
