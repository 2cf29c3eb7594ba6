"""Typed settings from the environment: a typo stops the start, it never becomes a default."""

import os
import re
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_ORIGIN = r"https?://(\*\.)?[A-Za-z0-9.-]+(:\d{1,5})?"


def text(name: str, default: str) -> str:
    """The variable as it stands, or `default` when it is unset or blank."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    """A yes-or-no variable; anything else is refused."""
    value = text(name, "yes" if default else "no").lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}; expected yes or no.")


def choice(name: str, options: tuple[str, ...]) -> str:
    """One of some words; the first is the default."""
    value = text(name, options[0]).lower()
    if value in options:
        return value
    raise ImproperlyConfigured(f"{name} is {value!r}; expected one of {', '.join(options)}.")


def whole_number(name: str, default: int, at_least: int = 0) -> int:
    """A whole number, `at_least` or more."""
    value = text(name, str(default))
    if value.isdecimal() and int(value) >= at_least:
        return int(value)
    raise ImproperlyConfigured(f"{name} is {value!r}; expected a whole number, {at_least} or more.")


def folder(name: str, default: Path) -> Path:
    """A folder that exists afterwards and can be written."""
    path = Path(text(name, str(default))).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name}: cannot make the folder {path} ({error.strerror})."
        ) from error
    return path


def existing_folder(name: str) -> Path | None:
    """A folder that must be there; none when it is not given."""
    value = text(name, "")
    path = Path(value).expanduser().resolve()
    if value and not path.is_dir():
        raise ImproperlyConfigured(f"{name}: {path} is no folder.")
    return path if value else None


def words(name: str, default: list[str]) -> list[str]:
    """A comma-separated list."""
    value = os.environ.get(name, "")
    return [word.strip() for word in value.split(",") if word.strip()] or default


def address(name: str) -> str:
    """The address of a site, ending in a slash; empty when it is not given."""
    value = text(name, "")
    if not value or re.fullmatch(rf"{_ORIGIN}/?", value):
        return value and f"{value.rstrip('/')}/"
    raise ImproperlyConfigured(f"{name} is {value!r}; expected https://name or https://name:port.")


def device(name: str) -> str:
    """A device a model may run on; `auto` when it is not given."""
    value = text(name, "auto")
    if re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", value):
        return value
    raise ImproperlyConfigured(f"{name} is {value!r}; expected auto, cpu, cuda or cuda:1.")


def ancestors(name: str, default: str) -> list[str]:
    """Sites that may show a page in a frame: `*`, `none`, or addresses with commas between."""
    given = words(name, [default])
    if given in (["*"], ["none"]) or all(re.fullmatch(_ORIGIN, each) for each in given):
        return given
    raise ImproperlyConfigured(
        f"{name} is {','.join(given)!r}; expected *, none, or https://name with commas between."
    )
