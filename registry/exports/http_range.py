"""A file that a browser or a program may fetch in parts: a download that broke off goes on where it stopped."""

import re
from email.utils import formatdate

from django.http import FileResponse, HttpResponse, StreamingHttpResponse

BLOCK = 1 << 18
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def resumable(request, path, *, filename, etag, content_type):
    """The response to a GET of the file at `path`: all of it, or the one range that is asked for.

    A range of another version of the file (If-Range with another etag) gets the whole of this one.
    """
    size = path.stat().st_size
    wanted = _wanted(request, size, etag)
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{etag}"', "Cache-Control": "no-store"}
    headers["Last-Modified"] = formatdate(path.stat().st_mtime, usegmt=True)
    if wanted is None:
        response = FileResponse(path.open("rb"), as_attachment=True, filename=filename, content_type=content_type)
    elif wanted == ():
        response = HttpResponse(status=416)
        headers["Content-Range"] = f"bytes */{size}"
    else:
        first, last = wanted
        response = StreamingHttpResponse(_part(path, first, last), status=206, content_type=content_type)
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
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


def _part(path, first, last):
    with path.open("rb") as content:
        content.seek(first)
        left = last - first + 1
        while left and (block := content.read(min(BLOCK, left))):
            left -= len(block)
            yield block
