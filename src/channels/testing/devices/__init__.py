"""Communicators for devices: ``tcp`` holds a TCP connection with an application, ``mqtt`` speaks MQTT."""
