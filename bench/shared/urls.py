"""The product's addresses and two bare views to compare with.

`bare` inserts the same row with no session, validation, policy or history; `empty` is the frame of a signed-in page.
"""

from django.contrib.auth.decorators import login_not_required
from django.db import models
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from registry.instruments import catalogue

FIELDS = tuple(item.name for item in catalogue.ASSESSMENT_ITEMS)


class Bare(models.Model):
    """The columns of an assessment in a table with no key, constraint, policy or trigger."""

    vars().update({"timepoint_id" if name == "timepoint" else name: models.TextField() for name in FIELDS})

    class Meta:
        app_label = "bench"  # not one of the apps whose tables guards know
        db_table = "bench_bare"
        managed = False


@csrf_exempt
@login_not_required
def bare(request):
    Bare.objects.create(**{"timepoint_id" if name == "timepoint" else name: request.POST[name] for name in FIELDS})
    return HttpResponse("stored")


def empty(request):
    return render(request, "base.html")


urlpatterns = [path("bare/", bare), path("bench/empty/", empty), path("", include("registry.urls"))]
