"""The layer for many processes of one project on one machine, with nothing to install.

The processes meet in a private directory (``wire/runtime_dir.py``). The first of them carries the broker
in a thread; when it ends, another takes over. Every process, the broker's own included, has one
connection to it.

The way of a group's message: :meth:`layer.HostChannelLayer.group_send` checks the name and encodes the
message once, ``engine.py`` hands it to the ``client/``, whose sender numbers it, keeps it until the
broker has acknowledged it, and writes it at the end of the loop's turn. The ``broker/`` reads it in the
thread of its poll loop and passes it once to each process that has members. There the consumers' loop
reads it and delivers it through ``channels.layers.local``. While that loop does not keep up, or where none
runs, the thread of the client reads (``client/reading.py``); what either has read goes through one delivery
queue, in order.

Imports go down: ``layer``, ``sync``, ``engine``, ``client``, ``broker``, ``wire``. The client knows the
broker because its thread may have to carry it.

What to keep in mind when this is changed: frames (``wire/frames.py``) are read by processes of other
releases, so a new one needs a feature or a new version. Whatever a thread adds to the sender's or the
delivery queue is one atomic operation of a deque, and sending waits for no lock: signal handlers may
send. All that the broker does happens in its thread. A frame is acknowledged only when the kernel has it
for every receiver.
"""

from channels.layers.host.layer import HostChannelLayer

__all__ = ["HostChannelLayer"]
