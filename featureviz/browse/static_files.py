"""Static files under names that change with their content, ES modules included."""

from django.contrib.staticfiles.storage import HashedFilesMixin
from whitenoise.storage import (  # type: ignore[import-untyped]
    CompressedManifestStaticFilesStorage,
)

_, _IMPORTS = vars(HashedFilesMixin)["_js_module_import_aggregation_patterns"]


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Rewrites the imports between our own modules too, so that each may be cached for ever.

    Others' scripts stay as they are: some import what their package does not ship.
    """

    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("js/*.js", _IMPORTS))
