"""What helps while a project is written: under ``runserver`` with its reloader, and with ``DEBUG``.

``reloading.py`` sees that code, templates and static files change. ``page_reload.py`` is the topic that open
pages with our client subscribe to, and is imported then only.
"""
