"""What errors and logs say: advice, tracebacks, loggers, the version that runs."""
