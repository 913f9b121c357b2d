"""A published study beside this registry: each number of the paper that can be computed, and the same from here."""

from django.http import Http404
from django.shortcuts import render
from django.views.decorators.http import require_safe

from registry.analysis.reports import published_study
from registry.web.shared.gates import for_comparing


@require_safe
@for_comparing
def beside(request):
    """Of a registry that has the protocol of a published study; there is no such page in others."""
    study = published_study.of_registry()
    if not study:
        raise Http404
    lines = published_study.lines(study)
    agreeing, compared = published_study.agreement(lines)
    rows = [
        {
            "line": line,
            "cells": list(zip(line.printed, line.ours, line.differing, line.n, strict=False)),
            "p_differs": line.differing[-1],
        }
        for line in lines
    ]
    document = published_study.document(study)
    return render(
        request,
        "comparison/published.html",
        {"paper": document["paper"], "groups": document["groups"], "rows": rows, "agreeing": agreeing,
         "compared": compared},
    )  # fmt: skip
