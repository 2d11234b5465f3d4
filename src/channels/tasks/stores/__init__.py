"""Where tasks are kept: one contract, one set of statements, a database of Django's or one in memory."""
