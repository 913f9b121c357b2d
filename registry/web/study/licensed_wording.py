"""Licensed wording of questionnaires: what is loaded in which language, by which licence; loading and taking back."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from registry.models import LicensedWording
from registry.protocol.definitions import Fault
from registry.services.protocol import publishing, wording
from registry.web.shared.wording import words
from sites.confirming import confirmed
from sites.languages import own_names
from sites.tenancy.access import Can

NO_FILE = wording.Label("choose a file", "ファイルを選んでください")


@require_http_methods(["GET", "HEAD", "POST"])
@confirmed
def licensed_wording(request):
    """Load the wording of a questionnaire in a language, or use it no more; and what is there."""
    request.access.require(Can.ADMINISTER)
    faults, status = [], 200
    if request.method == "POST":
        status = 422
        try:
            done = _take_back(request) if "take_back" in request.POST else _load(request)
        except publishing.InvalidDefinition as error:
            faults = error.faults
        else:
            messages.success(request, done)
            return redirect("licensed_wording")
    context = {
        "faults": faults,
        "lines": _lines(),
        "history": LicensedWording.objects.select_related("loaded_by").order_by("-pk")[:50],
        "questionnaires": [
            (code, words(questionnaire.title)) for code, questionnaire in wording.questionnaires().items()
        ],
        "languages": own_names(),
        "sent": request.POST,
    }
    return render(request, "study/licensed_wording.html", context, status=status)


def _asked(request):
    code, language = request.POST.get("questionnaire", ""), request.POST.get("language", "")
    if code not in wording.questionnaires() or language not in dict(settings.LANGUAGES):
        raise Http404
    return code, language


def _load(request):
    code, language = _asked(request)
    upload = request.FILES.get("file")
    if upload is None:
        raise publishing.InvalidDefinition([Fault(0, "file", "", NO_FILE)])
    wording.load(
        access=request.access,
        code=code,
        language=language,
        content=upload.read(wording.LARGEST + 1),
        licence=request.POST.get("licence", ""),
    )
    return _("Loaded. Patients' links and paper forms in this language have it now.")


def _take_back(request):
    code, language = _asked(request)
    wording.take_back(access=request.access, code=code, language=language, reason=request.POST.get("licence", ""))
    return _("Taken back. Links in this language no longer ask it.")


def _lines():
    """A line for each questionnaire and language: what is loaded, and whether links need it."""
    newest = {}
    for row in LicensedWording.objects.select_related("loaded_by").order_by("pk"):
        newest[row.questionnaire, row.language] = row
    needed = wording.needed()
    return [
        {
            "code": code,
            "title": words(questionnaire.title),
            "language": language,
            "language_name": name,
            "row": row if (row := newest.get((code, language))) and wording.fits(questionnaire, row.document) else None,
            "is_short": bool(row and row.document) and not wording.fits(questionnaire, row.document),
            "is_needed": any(instrument.code in needed for instrument in questionnaire.instruments),
        }
        for code, questionnaire in wording.questionnaires().items()
        for language, name in own_names()
    ]


@require_safe
def wording_template(request, code):
    """An empty file for the wording of a questionnaire."""
    request.access.require(Can.ADMINISTER)
    if code not in wording.questionnaires():
        raise Http404
    return HttpResponse(
        wording.template(code),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="wording-{code}.csv"'},
    )
