"""Real time for a new project, and for one that is there.

``python -m channels startproject NAME`` makes Django's own new project and then changes it as
``manage.py addrealtime`` changes any other: the apps and settings, the ASGI application, the URLs, and an app
with a topic, a page and tests.

* :mod:`.edits`: a change of a file, its diff, and who writes it.
* :mod:`.python_files`: the places in Python files that are changed, found in their syntax trees.
* :mod:`.project`: what is changed in which file, and what to write by hand where a file is not as expected.
"""
