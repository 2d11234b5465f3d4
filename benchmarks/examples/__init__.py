"""A load run per example: how many users one core carries. ``python -m benchmarks.examples --help``."""
