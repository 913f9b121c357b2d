"""ETag and If-Match: a change says which version it is a change of, so that nobody's work is overwritten unseen."""

import hashlib
import re

from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from rest_framework.response import Response

from registry.api.shared.problems import Problem


def etag_of(version):
    return f'"{version}"'


def shown(request, data, version, *, status=200, headers=None):
    """The response with one record: 304 without it where the client has this version already."""
    etag = etag_of(version)
    sent = (headers or {}) | {"ETag": etag}
    if request.method in ("GET", "HEAD") and is_known(etag, request.META.get("HTTP_IF_NONE_MATCH", "")):
        return Response(status=304, headers=sent)
    return Response(data, status=status, headers=sent)


def is_known(etag, tags):
    """Whether a client that sends `tags` in If-None-Match has this version."""
    known = as_given(tags)
    return etag in known or "*" in known


# What proxies that compress do to a tag: W/"3", "3-gzip", "3--br", "3;gzip".
_CHANGED_BY_PROXY = re.compile(r"(?:-{1,2}|;)(?:gzip|br|deflate|zstd|df)(?=\"$)")


def as_given(tags):
    """The tags of a header as they were given out, without what a compressing proxy on the way made of them."""
    return [_CHANGED_BY_PROXY.sub("", tag.removeprefix("W/")) for tag in parse_etags(tags)]


def check_match(request, version):
    """Problem 428 where the request does not say which version it changes, 412 where that is not the stored one."""
    wanted = as_given(request.META.get("HTTP_IF_MATCH", ""))
    if not wanted:
        raise Problem(428, _("Say in If-Match which version this changes: the ETag of what was read."))
    if "*" not in wanted and etag_of(version) not in wanted:
        raise Problem(
            412,
            _("Somebody else has changed this since it was read. Read it again."),
            headers={"ETag": etag_of(version)},
        )


def hashed(*parts):
    """A version for what has no number: a short hash of bytes or None."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"-" if part is None else b"+" + bytes(part))
    return digest.hexdigest()[:16]
