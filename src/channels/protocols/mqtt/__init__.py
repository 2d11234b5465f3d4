"""MQTT 3.1.1 and 5.0 as packets: bytes to typed values and back; what is malformed is refused with its code.

``reader`` is what a connection uses: it is fed what arrives, and gives back packets. ``decoding`` and
``encoding`` know the packets one by one, ``properties`` those of 5.0 as a table, ``topics`` what a topic name
and a topic filter are. ``packets`` are the values, ``codes`` the reason codes. No session is kept here, no
socket, and no clock.
"""
