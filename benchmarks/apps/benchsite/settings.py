"""One project for the originals and for us; what differs from run to run comes in by the environment."""

import os

SECRET_KEY = "the-benchmarks-hide-nothing"
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "channels"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "benchsite.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
ASGI_APPLICATION = "benchsite.asgi.application"
WSGI_APPLICATION = "benchsite.wsgi.application"
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
STORE = os.environ.get("BENCH_STORE", "layer")  # "layer", or the database that keeps a topic
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("BENCH_DATABASE", ":memory:")}
}
if STORE == "sqlite":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif STORE == "postgresql":
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": os.environ["BENCH_POSTGRESQL"],
        "CONN_MAX_AGE": None,
    }
if STORE != "layer":
    INSTALLED_APPS.append("channels.journal")
if os.environ.get("BENCH_INSPECTOR"):
    INSTALLED_APPS += ["channels.topics", "channels.inspector"]
USE_TZ = True
CHANNELS_TOPICS = {"MAX_COMMAND_RATE": 1_000_000}

_REDIS = {"hosts": [os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6379")]}
CHANNEL_LAYERS = {
    "default": {
        "memory": {"BACKEND": "channels.layers.InMemoryChannelLayer"},
        "redis": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": _REDIS},
        "pubsub": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": _REDIS},
        "host": {
            "BACKEND": "channels.layers.host.HostChannelLayer",
            "CONFIG": {"path": os.environ.get("BENCH_MEETING")},
        },
    }[os.environ.get("BENCH_LAYER", "memory")]
}
