"""Systems of background tasks: each module has ``prepare()``, ``enqueue(name, *arguments)`` and WORKER."""
