"""The pages of the chat; its WebSockets are in rooms.routing."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from rooms import views

urlpatterns = [
    path("", views.room_list, name="rooms"),
    path("room/<slug:slug>/", views.room, name="room"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("join/", views.join, name="join"),
]
