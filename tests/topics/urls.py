"""The pages of the tests' project with topics."""

from django.urls import include, path

urlpatterns = [path("", include("channels.topics.urls"))]
