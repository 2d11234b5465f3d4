"""Settings of the devices example: its devices need aiomqtt, the server nothing else."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

# Good enough for a demo on your own machine, never for a site: everybody can read it here.
SECRET_KEY = os.environ.get("DEVICES_SECRET_KEY", "for-development-only-not-a-secret")
DEBUG = os.environ.get("DEVICES_DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("DEVICES_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")

INSTALLED_APPS = [
    "daphne",  # first: its runserver serves ASGI, WebSockets included
    "channels",
    "channels.topics",
    "channels.journal",  # keeps what devices are to do in the database
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "fleet",
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
ROOT_URLCONF = "devices.urls"
ASGI_APPLICATION = "devices.asgi.application"

DATABASE = os.environ.get("DEVICES_DATABASE", BASE_DIR / "db.sqlite3")
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATABASE,
        # Who reads and then writes waits for the lock at the start, and not in vain in the middle.
        # With WAL who reads waits for nobody.
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode = WAL;"},
        # Tests use a file, too: in memory, who writes beside another one would fail instead of waiting.
        "TEST": {"NAME": f"{DATABASE}.test.sqlite3"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# All processes with this database on one machine meet, with nothing to install; several machines need Redis.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels.layers.host.HostChannelLayer",
        "CONFIG": {"project": str(DATABASE)},
    }
}

# A page shows the whole fleet: a topic for each device.
CHANNELS_TOPICS = {"MAX_SUBSCRIPTIONS": 2000}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 6}},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "fleet"
LOGOUT_REDIRECT_URL = "fleet"

STATIC_URL = "static/"
TIME_ZONE = "UTC"
USE_TZ = True
