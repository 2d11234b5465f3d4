"""The pages of the ticker."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from market import views

urlpatterns = [
    path("", include("channels.topics.urls")),
    path("", views.market, name="market"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("join/", views.Join.as_view(), name="join"),
    path("admin/", admin.site.urls),
]
