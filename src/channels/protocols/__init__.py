"""The protocols of the server without I/O: bytes in, events out, and back.

What is here:

- ``events``: the vocabulary that every protocol speaks. A server acts on it and knows no bytes.
- ``http``: what HTTP means in any version: the grammar (``abnf``), the judgement of requests
  (``semantics``), the opening handshake of a WebSocket (``upgrade``), the fields and rules of responses
  (``fields``, ``response_rules``).
- ``http1``, ``http2``: the wire of one version each. An engine, ours or a library's, reads the grammar
  of a message or a frame; the connection bounds, judges and keeps the order.
- ``websocket``: frames, fragments, compression and closing, once the handshake was answered.

The way through it: ``receive_data(bytes)`` only keeps the bytes. ``next_event()`` reads as much as makes
one event; whoever calls it decides by ``frames_left`` how much is read in one turn of the loop. The
``send_*`` methods judge what an application says and raise before anything is written.
``data_to_send()`` hands over what is to be put on the wire.

What holds for all of it, and must go on to hold:

- no socket, task, clock or lock, and nothing of Django; nothing is counted here either, but told as
  ``facts`` that the server counts; import-linter checks it;
- ``http1``, ``http2`` and ``websocket`` never import each other, and all three stand on ``http`` and
  ``events``;
- every buffer and every loop has a bound that a peer cannot move;
- a refusal has the status or code that its RFC asks for, and never shows the peer's bytes;
- engines may be exchanged: each passes the same tables of tests (``tests/conformance``) and the same
  fuzzers.

A new rule about requests or responses belongs into ``http``, so that both versions obey it. A new
protocol gets a folder of its own beside the others, and new events only if the existing ones cannot say
it.
"""
