"""A table's latents as files: the same address, with an ending."""

from collections.abc import Iterator

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_safe

from featureviz.browse.table.exports import Export, as_csv, as_parquet
from featureviz.browse.table.view import View
from featureviz.catalog.addresses import current_run


@require_safe
def latents_csv(request: HttpRequest, model: str, dictionary: str) -> StreamingHttpResponse:
    """The view as comma-separated values."""
    export = _export(request, model, dictionary)
    return _file(as_csv(export), f"{export.name}.csv", "text/csv; charset=utf-8")


@require_safe
def latents_parquet(request: HttpRequest, model: str, dictionary: str) -> StreamingHttpResponse:
    """The view as Parquet."""
    export = _export(request, model, dictionary)
    kind = "application/vnd.apache.parquet"
    return _file(as_parquet(export), f"{export.name}.parquet", kind)


def _export(request: HttpRequest, model: str, dictionary: str) -> Export:
    run = current_run(model, dictionary)
    if run is None:
        raise Http404
    return Export(run, View.of(request.GET))


def _file(content: Iterator[str] | Iterator[bytes], name: str, kind: str) -> StreamingHttpResponse:
    disposition = f'attachment; filename="{name}"'
    headers = {"Content-Disposition": disposition}
    return StreamingHttpResponse(content, content_type=kind, headers=headers)
