"""The migrations of tasks."""
