"""Addresses of logging in, of one's own account and of the audit trail."""

from __future__ import annotations

from django.contrib.auth import views as auth_views
from django.urls import path

from trust.views import account, audit, login

urlpatterns = [
    path("login/", login.Login.as_view(), name="login"),
    path("login/code/", login.code, name="login_code"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("prove/", login.prove, name="prove"),
    path("account/", account.account, name="account"),
    path("account/password/", account.PasswordChange.as_view(), name="password_change"),
    path("account/two-factor/", account.set_up, name="two_factor"),
    path("account/two-factor/off/", account.switch_off, name="two_factor_off"),
    path("account/recovery-codes/", account.recovery_codes, name="recovery_codes"),
    path("audit/", audit.trail, name="audit"),
    path("audit/<int:number>/", audit.line, name="audit_line"),
]
