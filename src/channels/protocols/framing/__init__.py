"""How messages are told apart in a stream of bytes: by line ends, by length, by netstrings, by a fixed size.

``framings`` has the classes and their names, ``interfaces`` what a class of one's own has to have. A framing
is fed what arrives, as it arrives, and gives back whole messages; it packs a message into bytes. It knows no
socket and no clock, and it holds no more than one message.
"""
