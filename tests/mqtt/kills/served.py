"""The project of a broker that is killed; its topics are in Redis, as tests.topics.kills.settings says."""

import django

django.setup()

from django.urls import path  # noqa: E402

from channels.mqtt.application import MQTTBroker  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from tests.mqtt import topics_for_tests as topics_for_tests  # noqa: E402

application = ProtocolTypeRouter({"tcp": URLRouter([path("mqtt", MQTTBroker())])})
