"""Read by gunicorn when it is started here: it knows where the server will listen.

It imports nothing of the site: what the arbiter has loaded, a reload (HUP) would not load anew.
"""

import os
from ipaddress import ip_address
from typing import Any


def on_starting(server: Any) -> None:
    """Refuse to serve others than this machine without accounts."""
    has_accounts = os.environ.get("FEATUREVIZ_ACCOUNTS", "").lower() in {"1", "true", "yes", "on"}
    hosts = [address[0] for address in server.cfg.address if isinstance(address, tuple)]
    others = [host for host in hosts if not _is_loopback(host)]
    if others and not has_accounts:
        raise SystemExit(
            f"This server would listen at {others[0]}, and there are no accounts. Set "
            "FEATUREVIZ_ACCOUNTS=1, or listen at 127.0.0.1."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
