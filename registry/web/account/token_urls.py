"""Addresses of the pages on API tokens."""

from django.urls import path

from registry.web.account import tokens

urlpatterns = [
    path("tokens/", tokens.own, name="tokens"),
    path("tokens/everybody/", tokens.everybody, name="tokens_everybody"),
    path("tokens/<int:token_id>/revoke/", tokens.revoke, name="token_revoke"),
]
