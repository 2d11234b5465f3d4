"""The ASGI server. It knows ASGI; it knows nothing of Django, layers or consumers."""
