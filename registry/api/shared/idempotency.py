"""Idempotency-Key: a POST that is sent again, because its answer was lost, is answered again and not done again.

The answer is kept in the same transaction as what was stored, for a day, and only if something was stored.
"""

import hashlib
import json
import re
from functools import wraps

from django.db import connection
from django.http.request import RawPostDataException
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.response import Response

from registry.api.shared.problems import Problem
from sites.database.longest import longest
from sites.models import ApiAnswer
from sites.people.tokens import ANSWERS_KEPT

LONGEST_KEY = longest(ApiAnswer, "key")
REPLAYED = "Idempotent-Replayed"


def repeatable(post):
    """A `post` method that honours the request's Idempotency-Key."""

    @wraps(post)
    def wrapped(view, request, *args, **kwargs):
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")  # `headers` would read all of them first
        if key is None:
            return post(view, request, *args, **kwargs)
        if not re.fullmatch(rf"[!-~]{{1,{LONGEST_KEY}}}", key):
            raise Problem(400, _("An Idempotency-Key has 1 to %(n)s visible characters.") % {"n": LONGEST_KEY})
        fingerprint = _fingerprint(request)
        with connection.cursor() as cursor:
            # The second of two equal requests waits here until the first is committed, and then finds its answer.
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"api answer {request.user.pk} {key}"]
            )
        mine = ApiAnswer.objects.filter(user=request.user, key=key)
        mine.filter(answered_at__lt=timezone.now() - ANSWERS_KEPT).delete()
        if earlier := mine.first():
            return _again(earlier, fingerprint)
        response = post(view, request, *args, **kwargs)
        if response.status_code < 300:
            _keep(request.user, key, fingerprint, response)
        return response

    return wrapped


def _fingerprint(request):
    """Of the request, of what carries it and of what that may do: nobody is told again what is not theirs any more."""
    carrier = f"token {request.auth.pk}" if request.auth is not None else "session"
    access = request._request.access
    grants = sorted(f"{grant.role} {grant.site_id}" for grant in access.grants)
    may = f"{carrier} {sorted(access.within)} {grants}"
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()} {may}\n".encode())
    for piece in _body(request):
        digest.update(piece)
    return digest.hexdigest()


def _body(request):
    """The body in pieces; of a form with files, which is never in memory whole, its fields and the files' contents."""
    if not request.content_type.startswith("multipart/"):
        try:
            yield request.body
        except RawPostDataException:  # the check of a session's form token has read it already
            yield json.dumps(request.data, sort_keys=True).encode()
        return
    files = request.FILES
    for name in sorted(request.data):
        for value in request.data.getlist(name):
            yield f"{name}\n{getattr(value, 'name', value)}\n".encode()
    for name in sorted(files):
        for upload in files.getlist(name):
            yield from upload.chunks()
            upload.seek(0)


def _keep(user, key, fingerprint, response):
    ApiAnswer.objects.create(
        user=user,
        key=key,
        fingerprint=fingerprint,
        status=response.status_code,
        location=response.headers.get("Location", ""),
        etag=response.headers.get("ETag", ""),
        body=json.dumps(response.data, ensure_ascii=False),
    )


def _again(earlier, fingerprint):
    if earlier.fingerprint != fingerprint:
        raise Problem(409, _("This Idempotency-Key was used for another request."))
    sent = {"Location": earlier.location, "ETag": earlier.etag, REPLAYED: "true"}
    headers = {name: value for name, value in sent.items() if value}
    return Response(json.loads(earlier.body), status=earlier.status, headers=headers)
