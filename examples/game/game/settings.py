"""Settings of the game example: it runs from a fresh checkout with nothing else installed."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

# Good enough for a demo on your own machine, never for a site: everybody can read it here.
SECRET_KEY = os.environ.get("GAME_SECRET_KEY", "for-development-only-not-a-secret")
DEBUG = os.environ.get("GAME_DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("GAME_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")

INSTALLED_APPS = [
    "daphne",  # first: its runserver serves ASGI, WebSockets included
    "channels",
    "channels.topics",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "arena",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "game.urls"
ASGI_APPLICATION = "game.asgi.application"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("GAME_DATABASE", BASE_DIR / "db.sqlite3"),
        # Who reads and then writes waits for the lock at the start, and not in vain in the middle.
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# All processes with this database on one machine meet, with nothing to install; several machines need Redis.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels.layers.host.HostChannelLayer",
        "CONFIG": {
            "project": str(DATABASES["default"]["NAME"]),
            # Two seconds of what 100 players do may wait for the worker; more is refused, and they are told.
            "channel_capacity": {"arena": 1000},
        },
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 6}},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "lobby"
LOGOUT_REDIRECT_URL = "lobby"

STATIC_URL = "static/"
TIME_ZONE = "UTC"
USE_TZ = True
