"""A file that a browser or a program may fetch in parts: a download that broke off goes on where it stopped."""

import re

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.utils.http import http_date

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def resumable(request, file, *, filename, etag, content_type):
    """The response to a GET of a `shared_store.Stored` file: all of it, or the one range that is asked for.

    A range of another version of the file (If-Range with another etag) gets the whole of this one.
    """
    wanted = _wanted(request, file.size, etag)
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{etag}"', "Cache-Control": "no-store"}
    headers["Last-Modified"] = http_date(file.modified.timestamp())
    if wanted == ():
        response = HttpResponse(status=416)
        headers["Content-Range"] = f"bytes */{file.size}"
    elif wanted is None:
        response = FileResponse(file.whole(), content_type=content_type)
        headers |= {"Content-Length": str(file.size), "Content-Disposition": f'attachment; filename="{filename}"'}
    else:
        first, last = wanted
        response = StreamingHttpResponse(file.blocks(first, last), status=206, content_type=content_type)
        headers["Content-Range"] = f"bytes {first}-{last}/{file.size}"
        headers["Content-Length"] = str(last - first + 1)
        headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    for name, value in headers.items():
        response[name] = value
    return response


def _wanted(request, size, etag):
    """(first, last) byte of the range asked for; None for the whole file, () for a range that it does not have."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if match is None or request.headers.get("If-Range", f'"{etag}"') != f'"{etag}"':
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:  # the last so many bytes
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    return (start, end) if start <= end and start < size else ()
