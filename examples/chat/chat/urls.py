"""The pages of the chat; its WebSockets are in rooms.routing."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from rooms import views

urlpatterns = [
    path("", include("channels.topics.urls")),
    path("admin/", admin.site.urls),
    path("", views.room_list, name="rooms"),
    path("live/<slug:slug>/", views.live, name="live"),
    path("room/<slug:slug>/", views.room, name="room"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("join/", views.join, name="join"),
]
