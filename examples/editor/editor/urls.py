"""The pages of the editor; its WebSockets are in ``editor.asgi``."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from documents import views

urlpatterns = [
    path("", views.documents, name="documents"),
    path("document/<int:pk>/", views.document, name="document"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("join/", views.Join.as_view(), name="join"),
    path("admin/", admin.site.urls),
]
