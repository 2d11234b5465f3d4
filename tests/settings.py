"""The Django project the tests run in."""

import django

SECRET_KEY = "not-a-secret-only-for-tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "channels",
    "channels.journal",
    "channels.outbox",
    "channels.tasks",
    "tests.live.shop",
]
if django.VERSION < (6,):  # where Django has no tasks of its own, the backport has them
    INSTALLED_APPS.append("django_tasks")
TASKS = {
    "default": {"BACKEND": "channels.tasks.TaskBackend", "QUEUES": [], "OPTIONS": {"store": "memory"}},
}
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
