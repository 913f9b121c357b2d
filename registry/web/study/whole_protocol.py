"""A whole protocol as a file: loaded and published in one act, and downloaded for another registry."""

import json

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.protocol.definitions import Fault
from registry.services.protocol import whole
from registry.web.study.own_instruments import title_of
from registry.web.study.publishing import published
from sites.confirming import confirmed
from sites.tenancy.access import Can


@require_http_methods(["GET", "POST"])
@confirmed
def load(request):
    """Publish a protocol from a file, or one that comes with the product."""
    request.access.require(Can.ADMINISTER)
    faults, note, status = [], request.POST.get("note", "").strip(), 200
    if request.method == "POST":
        reading = _given(request)
        faults, status = reading.faults, 422
        if not faults:
            success = _("Published. The steps say what is still missing.")
            faults = published(request, whole.load, success, note=note, document=reading.document)
            if faults is None:
                return redirect("study")
    ready = [
        {"code": code, "title": title_of({"title": document["study"]["name"]}), "study": document["study"]}
        for code, document in whole.come_along().items()
    ]
    return render(request, "study/load.html", {"faults": faults, "note": note, "ready": ready}, status=status)


def _given(request):
    if code := request.POST.get("ready"):
        document = whole.come_along().get(code)
        if document is not None:
            return whole.Reading(document)
    upload = request.FILES.get("file")
    if upload is None:
        reason = whole.Label("choose a file, or one that comes along", "ファイルか付属のプロトコールを選んでください")
        return whole.Reading(faults=[Fault(0, "file", "", reason)])
    return whole.read(upload.read(whole.bringing.LARGEST + 1))


@require_safe
def file(request):
    """The protocol that holds, as such a file."""
    request.access.require(Can.ADMINISTER)
    content = json.dumps(whole.document_of_registry(), ensure_ascii=False, indent=1)
    return HttpResponse(
        content,
        content_type="application/json; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="protocol.json"'},
    )
