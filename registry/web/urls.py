"""Addresses of the pages for site people: sign-in, the start page, patients and their forms."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from registry.web import home, session

urlpatterns = [
    path("", home.home, name="home"),
    path("login/", session.sign_in, name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", session.set_language, name="set_language"),
]
