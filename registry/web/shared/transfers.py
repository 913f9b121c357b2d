"""Files that come and go, whichever page they belong to: uploads are scanned, downloads are counted, CSV is sent."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from allauth.core.internal import ratelimit
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render

from registry.exports.folder import download_name
from registry.services.files import virus_scanner
from registry.web.shared import wording
from sites import audit

HOUR = 3600


class ScannedUploads:
    """Refuses files in which the virus scanner finds something, or which it could not look at: 422, saying which."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, view, args, kwargs):
        files = [upload for name in request.FILES for upload in request.FILES.getlist(name)]
        try:
            virus_scanner.scan(files)
        except virus_scanner.Refused as refused:
            return render(request, "shared/upload_refused.html", {"reason": wording.words(refused.reason)}, status=422)
        return None


class LimitedDownloads:
    """Lets a person have so many files an hour, and puts on record, once an hour, that somebody wanted more.

    A file is whatever a page or the API sends as an attachment, and each part of one that is asked for.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if not settings.DOWNLOADS_PER_HOUR or not request.user.is_authenticated:
            return response
        if not response.get("Content-Disposition", "").startswith("attachment"):
            return response
        if ratelimit.consume(request, action="download", user=request.user, limit_get=True, app="allauth.account"):
            return response
        if cache.add(f"downloads-limited:{request.user.pk}", 1, HOUR):
            with transaction.atomic():  # the view's own is over
                audit.record("downloads_limited", table="study_sites_user", row_id=request.user.pk)
        limited = {"most": settings.DOWNLOADS_PER_HOUR}
        answer = render(request, "shared/downloads_limited.html", limited, status=429)
        answer["Retry-After"] = str(HOUR)
        return answer


def csv_answer(name: str, header: Sequence[str], chunks: Iterable[Iterable[Sequence[Any]]]) -> StreamingHttpResponse:
    """A CSV as an attachment, sent as it is made: with the mark that Excel needs, and named as synthetic where it is.

    chunks  rows of cells, some at a time. The request's transaction is over when they are asked for: whoever makes
            them enters a scope and a transaction for each
    """
    return StreamingHttpResponse(
        _written(header, chunks),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{download_name(name)}"', "Cache-Control": "no-store"},
    )


class _Echo:
    def write(self, line: str) -> str:
        return line


def _written(header: Sequence[str], chunks: Iterable[Iterable[Sequence[Any]]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(header)
    for rows in chunks:
        yield "".join(map(writer.writerow, rows))


def pdf_file(name: str, content: bytes) -> HttpResponse:
    """A PDF to keep, under the name that is asked for."""
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{download_name(name)}"', "Cache-Control": "no-store"},
    )
