"""How a server starts, serves and stops: lifespan, garbage collection, drain, deadline.

``lifespan`` asks the application to start before the first connection is accepted, and to stop after the
last has ended. Between them ``drain`` ends what runs, gently first; ``deadline`` ends the process if that
takes too long, whatever its code does. ``gc_tuning`` sets the garbage collector for as long as the
process serves.
"""
