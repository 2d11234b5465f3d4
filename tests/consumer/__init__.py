"""What consumers do with errors, and with layers of every kind: see ``test_consumer.py`` for the usual."""
