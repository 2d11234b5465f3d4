"""Timers, writes and files, as the event loop and the kernel offer them.

Nothing here knows a protocol or a setting. ``timer_wheel`` keeps all time limits of a process in one
timer of the loop. ``writing`` writes in one piece what belongs to one turn of the loop; ``coalescing`` and
``waiters`` say when others go on; ``send_progress`` and
``closed_peers`` ask the kernel what a peer has read and whether it is still there; ``sendfile`` reads
files without holding the loop.
"""
