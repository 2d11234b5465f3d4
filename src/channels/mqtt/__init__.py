"""A broker's door for devices: MQTT 3.1.1 and 5.0, whose topics are topics of ``channels.topics``.

:class:`~channels.mqtt.application.MQTTBroker` is an ASGI application for connections of scope type ``tcp``
and ``websocket``. ``streams`` makes them alike, ``outbound`` writes, ``connection`` acts on packets.
``session`` is what outlives a connection, ``sessions`` finds it again. ``router`` brings what is published to
sessions, ``messages`` turns publications into PUBLISH packets, ``identity`` says who a client is.
``metering`` counts for metrics. ``wildcards`` learns of new topics, ``system`` says how the broker is.
"""
