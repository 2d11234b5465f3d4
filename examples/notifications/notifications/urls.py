"""The pages of the shop, and the event streams of its topics under ``/sse/``."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from orders import views

urlpatterns = [
    path("", include("channels.topics.urls")),
    path("", views.orders, name="orders"),
    path("read/", views.read, name="read"),
    path("buy/", views.buy, name="buy"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("join/", views.Join.as_view(), name="join"),
    path("admin/", admin.site.urls),
]
