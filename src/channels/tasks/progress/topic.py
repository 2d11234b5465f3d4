"""The topic of each task: its viewer may read it, and gets the newest report at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from channels.tasks.backend import find_record
from channels.topics.topic import History, Topic
from channels.topics.user import user_id_of


class TaskProgress(Topic):
    """How far one task is: ``task:<id>``.

    Publications are the fields of :class:`~channels.tasks.progress.reports.Report`.
    """

    pattern = "task:<str:id>"
    history = History(size=1, ttl=timedelta(hours=1))
    cache = True
    slow_clients = "latest"
    template = "channels/task_progress.html"
    id: str

    def may_subscribe(self, user: Any) -> bool:
        """Only the user whom the task was enqueued for."""
        record = find_record(self.id)
        return record is not None and record.viewer != "" and record.viewer == user_id_of(user)
