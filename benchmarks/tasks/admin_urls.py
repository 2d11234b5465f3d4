"""The admin of tasks, and a task whose path leads back to it."""

from django.contrib import admin
from django.urls import path

from channels.tasks import task


@task
def nothing(number: int) -> int:
    return number


urlpatterns = [path("admin/", admin.site.urls)]
