"""Which environment variables the sources read."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def settings_variables() -> list[str]:
    """The names that featureviz/env.py is asked for anywhere, for instance DATABASE_URL."""
    folders = (ROOT / "featureviz", ROOT / "tasks")
    sources = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    return sorted(set(re.findall(r'\benv\.\w+\(\s*"(\w+)"', sources)))
