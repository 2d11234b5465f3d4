"""The load of MQTT clients: ``mqttload.c`` is the client, ``load`` runs it."""
