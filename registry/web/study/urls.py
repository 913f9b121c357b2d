"""Addresses of what an administrator sets up: the protocol, own instruments, the extra instruments."""

from django.urls import path

from registry.web.study import (
    brand,
    extra_instruments,
    licensed_wording,
    own_instruments,
    protocol,
    whole_protocol,
)

urlpatterns = [
    path("study/", protocol.guide, name="study"),
    path("study/about/", protocol.about, name="study_about"),
    path("brand.css", brand.style, name="brand_style"),
    path("brand/logo.png", brand.logo, name="brand_logo"),
    path("study/load/", whole_protocol.load, name="study_load"),
    path("study/protocol.json", whole_protocol.file, name="study_file"),
    path("study/wording/", licensed_wording.licensed_wording, name="licensed_wording"),
    path("study/wording/<slug:code>.csv", licensed_wording.wording_template, name="wording_template"),
    path("study/matrix/", protocol.matrix, name="study_matrix"),
    path("study/protocol/", protocol.printed, name="study_protocol"),
    path("study/versions/", protocol.versions, name="study_versions"),
    path("study/instruments/", own_instruments.own_instruments, name="own_instruments"),
    path("study/instruments/new/", own_instruments.own_instrument_new, name="own_instrument_new"),
    path("study/instruments/upload/", own_instruments.own_instrument_upload, name="own_instrument_upload"),
    path("study/instruments/<slug:code>/", own_instruments.own_instrument, name="own_instrument"),
    path("study/instruments/<slug:code>/items/<int:row>/", own_instruments.own_item, name="own_item"),
    path("study/instruments/<slug:code>/try/", own_instruments.own_instrument_preview, name="own_instrument_preview"),
    path(
        "study/instruments/<slug:code>/publish/", own_instruments.own_instrument_publish, name="own_instrument_publish"
    ),
    path("study/instruments/<slug:code>/retire/", own_instruments.own_instrument_retire, name="own_instrument_retire"),
    path(
        "study/instruments/<slug:code>/discard/", own_instruments.own_instrument_discard, name="own_instrument_discard"
    ),
    path(
        "study/instruments/<slug:code>/<slug:form>.file",
        own_instruments.own_instrument_file,
        name="own_instrument_file",
    ),
    path("extra-instruments/", extra_instruments.extra_instruments, name="extra_instruments"),
    path("extra-instruments/<slug:code>/", extra_instruments.extra_instrument, name="extra_instrument"),
]
