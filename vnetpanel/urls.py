"""All routes; those of the two apps are in their own `urls.py`."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from nodes.views import home
from vnetpanel import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("health/", views.panel_health, name="health"),
    path("healthz", views.healthz, name="healthz"),
    path("admin/login/", views.admin_login),
    # In place of the administration's own, which would let the old password be guessed without end.
    path("admin/password_change/", RedirectView.as_view(pattern_name="password_change")),
    path("admin/", admin.site.urls),
    path("", include("trust.urls")),
    path("", include("nodes.urls")),
    path("", include("networks.urls")),
]

handler500 = views.server_error
