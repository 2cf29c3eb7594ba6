"""Static files under names that change with their content, ES modules included.

Plotly's own file comes from the installed package: nothing minified by others lies here.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.storage import HashedFilesMixin
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from whitenoise.storage import (  # type: ignore[import-untyped]
    CompressedManifestStaticFilesStorage,
)

_SHEETS = re.compile(r'^@import "([^"]+)";\n', re.MULTILINE)
_, _IMPORTS = vars(HashedFilesMixin)["_js_module_import_aggregation_patterns"]


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Rewrites the imports between our own modules too, so that each may be cached for ever.

    Others' scripts stay as they are: some import what their package does not ship.
    """

    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("js/*.js", _IMPORTS))

    def post_process(
        self, paths: Mapping[str, Any], dry_run: bool = False, **options: Any
    ) -> Iterator[Any]:
        """Style sheets take in those they import: each request would delay the first view."""
        found = dict(paths)
        sheets = [] if dry_run else [name for name in paths if name.endswith(".css")]
        for name in sheets:
            self.delete(name)
            self._save(name, ContentFile(_whole(name, paths).encode()))
            found[name] = (self, name)
        yield from super().post_process(found, dry_run, **options)


def _whole(name: str, paths: Mapping[str, Any]) -> str:
    storage, path = paths[name]
    with storage.open(path) as file:
        text: str = file.read().decode()
    beside = posixpath.dirname(name)
    return _SHEETS.sub(lambda found: _whole(posixpath.join(beside, found[1]), paths), text)


class PlotlyFinder(BaseFinder):
    """Finds `plotly/plotly.min.js` in the installed package, which is not imported for it."""

    name = "plotly.min.js"
    prefix = "plotly"

    def __init__(self, *_: object, **__: object) -> None:
        found = find_spec("plotly")
        places = found.submodule_search_locations if found else None
        folder = Path(next(iter(places or ["."]))) / "package_data"
        self.storage = FileSystemStorage(location=str(folder))
        # collectstatic looks for it there, as Django's own finder leaves it
        self.storage.prefix = self.prefix  # type: ignore[attr-defined]

    def check(self, **_: Any) -> list[Any]:
        """Nothing is configured, so nothing is wrong."""
        return []

    def find(self, path: str, find_all: bool = False, **_: Any) -> Any:
        """The file's place when it is asked for, else an empty list, as Django's own finders do."""
        if path != f"{self.prefix}/{self.name}" or not self.storage.exists(self.name):
            return []
        place = self.storage.path(self.name)
        return [place] if find_all else place

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Any]]:
        """That one file."""
        if self.storage.exists(self.name):
            yield self.name, self.storage
