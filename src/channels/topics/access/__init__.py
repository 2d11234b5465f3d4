"""Who clients are, and whether they still may be who they are.

``hooks.py`` calls what a project has put in the place of Django's sessions. ``users.py`` finds the user that
a token names, and what others see of a user. ``grants.py`` says what tokens let a client have of a topic, and
``expiry.py`` when that ends.
"""
