"""The Centrifuge client protocol, version 2: the wire of topics, in JSON and in Protobuf.

``messages`` has a class for each message, with the numbers and types of its fields, and ``schema`` reads
them from there. ``codes`` are those of errors and of the ends of subscriptions and connections. ``codec``
says what a format has to offer; ``json_codec`` and ``protobuf`` (with ``protobuf_messages`` and ``varints``)
are the two there are. ``framing`` chooses between them, and knows what each transport puts around messages.

``fossil`` makes and applies the deltas that publications may be sent as; ``filters`` compiles what a
subscriber wants of them, by their tags.

What a command means is not known here: no session, no channel, no order of commands.
"""
