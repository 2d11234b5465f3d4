from tests.topics.conftest import own_store as own_store  # a fixture
