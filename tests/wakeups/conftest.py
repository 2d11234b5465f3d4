"""Redis servers for wake-ups, and stores of each test's own."""

from tests.layers.redis.conftest import own_server  # noqa: F401 (fixture)
from tests.topics.conftest import own_store  # noqa: F401 (fixture)
