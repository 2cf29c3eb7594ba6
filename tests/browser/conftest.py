"""A real browser on a real server, and a site of one small run."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.factories import make_run


@pytest.fixture
def site(transactional_db, store, live_server):
    """The address of a site with one run, demo/sae."""
    make_run()
    return live_server.url


@dataclass
class Complaints:
    """What the browser complained of, and what it asked of others."""

    host: str
    said: list[str] = field(default_factory=list)

    def listen(self, page):
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self._request(request.url))
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " event => console.error('CSP ' + event.violatedDirective + event.blockedURI))"
        )

    def _console(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.said.append(text)

    def _request(self, url: str) -> None:
        if urlsplit(url).netloc != self.host:
            self.said.append(f"request to {url}")


@pytest.fixture
def complaints(site):
    return Complaints(urlsplit(site).netloc)


@pytest.fixture
def listened(page, complaints):
    """The page, listened to; the test fails if the browser complains of anything."""
    complaints.listen(page)
    yield page
    assert complaints.said == []


@pytest.fixture
def latent(listened, site):
    """The page of latent 3, open."""
    listened.goto(f"{site}/demo/sae/3")
    return listened
