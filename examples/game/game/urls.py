"""The pages of the game."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from arena import views

urlpatterns = [
    path("", include("channels.topics.urls")),
    path("", views.lobby, name="lobby"),
    path("match/<int:pk>/", views.match, name="match"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("join/", views.Join.as_view(), name="join"),
    path("admin/", admin.site.urls),
]
