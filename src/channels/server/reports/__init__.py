"""What the server tells: access log, health, exposure, a loop that is held.

``targets`` takes secrets out of whatever is logged of a request. ``access_log`` writes lines, ``health``
answers load balancers, ``exposure`` lists what strangers may reach, and ``loop_watchdog`` names the code
that holds the event loop. None of them changes what is served.
"""
