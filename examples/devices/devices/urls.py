"""The pages of the fleet."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from fleet import views

urlpatterns = [
    path("", include("channels.topics.urls")),
    path("", views.fleet, name="fleet"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("join/", views.Join.as_view(), name="join"),
    path("admin/", admin.site.urls),
]
