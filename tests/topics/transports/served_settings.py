"""The project that served_app.py runs in."""

from tests.settings import *  # noqa: F403

ROOT_URLCONF = "tests.topics.urls"
CHANNELS_TOPICS = {
    "API_KEY": "a-key-for-tests-of-servers",
    "PING_INTERVAL": 2,
    "PONG_TIMEOUT": 1,
    "MAX_QUEUE_SIZE": 200_000,
}
