"""The topics of this app, where the registry of topics looks for them."""

from channels.tasks.progress.topic import TaskProgress

__all__ = ["TaskProgress"]
