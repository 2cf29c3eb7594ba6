"""Pictures of every page of a running site: both themes, desktop and phone.

python docs/screenshots.py [ADDRESS] [FOLDER] [--latent A/1/3450] [--only latent]
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

SIZES = {"desktop": (1440, 900), "phone": (390, 844), "wide": (2560, 1440)}
THEMES = ("light", "dark")
PAPER = {"width": 703, "height": 1017}  # an A4 page within its margins
CHROMIUM = "/usr/bin/chromium"


def main() -> None:
    """Take the pictures."""
    options = read_options()
    options.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        pages = find_pages(browser, options.address, options.latent)
        for size in SIZES:
            for theme in THEMES:
                take(browser, pages, options, size, theme)
        browser.close()


def read_options() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("address", nargs="?", default="http://127.0.0.1:8000/")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/images"))
    parser.add_argument("--latent", help="its address; else one the site suggests, else any")
    parser.add_argument("--only", help="just the pages whose name begins so")
    return parser.parse_args()


def find_pages(browser: Browser, address: str, latent: str | None) -> dict[str, str]:
    """The address of one page of each kind, found by following links."""
    page = browser.new_page()
    page.goto(address)
    links = [link.get_attribute("href") or "" for link in page.locator("main a").all()]
    table = next(link for link in links if link.count("/") == 3 and link.endswith("/"))
    suggested = next((link for link in links if link.count("/") == 3 and link[-1].isdigit()), "")
    page.goto(urljoin(address, f"/{latent}" if latent else suggested or f"{table}random"))
    shown = page.url
    page.goto(urljoin(address, f"{table}?show=dead"))
    dead = page.locator("td a")
    never = urljoin(page.url, dead.first.get_attribute("href")) if dead.count() else ""
    pages = {
        "front": address,
        "model": urljoin(address, f"/{table.split('/')[1]}/"),
        "dictionary": urljoin(address, f"{table}?sort=-max"),
        "latent": shown,
        "latent-16": f"{shown}?view=16",
        "latent-whole": f"{shown}?view=whole&num=on",
        "lost": urljoin(address, f"{table}99999999"),
        "runs": urljoin(address, "/runs/"),
        "components": urljoin(address, "/components/"),
        "latent-shared-scale": f"{shown}?scale=all",
        "text": f"{shown}?text=def+visit(self):#own-text",
        "by-text": urljoin(address, "/search/text?text=def+visit(self):+return+None"),
        "search": urljoin(address, "/search?q=self"),
        "compare": urljoin(address, f"/compare?a={_name(shown)}&b={_next(shown)}"),
        "map": urljoin(address, f"{table}map"),
        "health": urljoin(address, f"{table}health"),
        "embed": shown.replace(address.rstrip("/"), f"{address.rstrip('/')}/embed"),
    }
    page.goto(pages["runs"])
    pages["run"] = urljoin(
        address, page.locator("main a[href^='/runs/']").first.get_attribute("href") or ""
    )
    if never:
        pages["latent-dead"] = never
    page.close()
    return pages


def _name(shown: str) -> str:
    """The latent at an address, as `compare` takes it."""
    return "/".join(shown.split("?", maxsplit=1)[0].split("/")[-3:])


def _next(shown: str) -> str:
    """A latent beside it."""
    *place, index = _name(shown).split("/")
    return "/".join([*place, str(int(index) + 1)])


def take(
    browser: Browser, pages: dict[str, str], options: argparse.Namespace, size: str, theme: str
) -> None:
    """Every page at one size in one theme; a latent also with a token under the pointer."""
    context = new_context(browser, size, theme)
    page = context.new_page()
    for name, address in pages.items():
        if options.only and not name.startswith(options.only):
            continue
        page.goto(address)
        if name == "map":
            page.locator("#how").wait_for(timeout=120_000)  # a worker may have to make it first
        page.screenshot(path=options.folder / f"{name}-{size}-{theme}.png")
        for state in states(page, name, size):
            page.screenshot(path=options.folder / f"{name}-{state}-{size}-{theme}.png")
    context.close()


def new_context(browser: Browser, size: str, theme: str) -> BrowserContext:
    """A window of a size; a phone has fingers."""
    width, height = SIZES[size]
    return browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        has_touch=size == "phone",
        is_mobile=size == "phone",
        device_scale_factor=2 if size == "phone" else 1,
    )


def states(page: Page, name: str, size: str) -> Iterator[str]:
    """What a reader sees after acting on a page."""
    if name == "components":
        page.locator("#part-examples").scroll_into_view_if_needed()
        yield "examples"
    if name != "latent":
        return
    peak = page.locator("#top-3 .k")
    if size == "phone":
        page.locator("#top").evaluate("group => group.scrollIntoView()")
        peak.tap()
        yield "tapped"
    else:
        peak.hover()
        yield "hovered"
        page.locator(".hist a").nth(30).click()
        yield "bar"
        page.keyboard.press("Escape")
        page.emulate_media(media="print")
        page.set_viewport_size(PAPER)
        yield "printed"
        page.emulate_media(media="screen")
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})


if __name__ == "__main__":
    main()
