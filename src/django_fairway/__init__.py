"""What watches over the installation: our files have the paths of channels, channels-redis and daphne.

Nothing here imports more than the standard library, and nothing lies where an original has a file:
it works when theirs have been installed over ours, or have taken ours away with them.
"""
