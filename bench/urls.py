"""The product's addresses and one bare view: the same row inserted with no session, validation, policy or history."""

from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from registry.instruments import catalogue

COLUMNS = tuple({"timepoint": "timepoint_id"}.get(item.name, item.name) for item in catalogue.ASSESSMENT_ITEMS)
FIELDS = tuple(item.name for item in catalogue.ASSESSMENT_ITEMS)
INSERT = f"INSERT INTO bench_bare ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"


@csrf_exempt
@login_not_required
def bare(request):
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [request.POST[name] for name in FIELDS])
    return HttpResponse("stored")


@login_not_required
def nothing(request):
    return HttpResponse("nothing")


urlpatterns = [path("bare/", bare), path("nothing/", nothing), path("", include("registry.urls"))]
