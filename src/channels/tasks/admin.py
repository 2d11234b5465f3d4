"""The admin of tasks: list, filter, read tracebacks, retry, cancel. It counts no rows to the end."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.timezone import is_aware, localtime

from channels.tasks.control import cancel, retry
from channels.tasks.definition.contract import TaskResultDoesNotExist, task_backends
from channels.tasks.definition.limits import Allowance
from channels.tasks.definition.results import moment
from channels.tasks.definition.states import State
from channels.tasks.models import Task, Tick, Worker
from channels.tasks.schedule.schedules import registered
from channels.tasks.stores.records import MOST

#: Tasks among which a path is searched.
NEWEST: Final = 100_000
_ID: Final = re.compile(r"[0-9a-f]{32}")


def shown(at: datetime | None) -> str | None:
    """Return a time in the zone of who looks, to the second."""
    if at is None:
        return None
    return f"{localtime(at) if is_aware(at) else at:%Y-%m-%d %H:%M:%S}"


class FewPages(Paginator):
    """Pages of a table that may have millions of rows: of those beyond ten thousand it knows nothing."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, up to ten thousand."""
        rows: Any = self.object_list
        return len(rows.order_by().values_list("pk")[:MOST])


class ReadOnly(admin.ModelAdmin):
    """Rows that nobody writes by hand."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = FewPages

    def has_add_permission(self, request: HttpRequest) -> bool:
        """See Django's."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """See Django's."""
        return False


@admin.register(Task)
class TaskAdmin(ReadOnly):
    """Tasks, the newest first."""

    class Media:  # noqa: D106
        css: ClassVar[dict[str, list[str]]] = {"all": ["channels/tasks-admin.css"]}

    list_display = ("path", "state", "waits", "enqueued", "finished", "attempts", "queue", "priority", "id")
    list_filter = ("state",)
    search_fields = ("=id", "=path")
    search_help_text = f"An id, or a path: among the newest {NEWEST:,} tasks."
    ordering = ("-id",)
    actions = ("retry_selected", "cancel_selected")
    readonly_fields = ("waits", "enqueued", "due", "started", "finished", "tracebacks")
    fieldsets = (
        (None, {"fields": ("path", "state", "waits", "arguments", "result", "tracebacks")}),
        ("Times", {"fields": ("enqueued", "due", "started", "finished")}),
        ("Attempts", {"fields": ("attempts", "losses", "owner", "owners")}),
        ("More", {"fields": ("backend", "queue", "priority", "unique_key", "viewer")}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        """Find a task by its id, or those of a path; no search reads all rows of a large table."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if _ID.fullmatch(term):
            return queryset.filter(pk=term), False
        edge = Task.objects.order_by("-pk").values_list("pk", flat=True)[NEWEST : NEWEST + 1]
        return queryset.filter(path=term, pk__gt=next(iter(edge), "")), False

    @admin.display(ordering="id")
    def enqueued(self, task: Task) -> Any:
        """When it was enqueued."""
        return shown(moment(task.enqueued_at))

    @admin.display
    def due(self, task: Task) -> Any:
        """When it may run."""
        return shown(moment(task.run_at))

    @admin.display
    def started(self, task: Task) -> Any:
        """When its first attempt began."""
        return shown(moment(task.started_at))

    @admin.display
    def finished(self, task: Task) -> Any:
        """When it ended."""
        return shown(moment(task.finished_at))

    @admin.display(description="waits for")
    def waits(self, task: Task) -> str:
        """Why it does not run, if that is not plain from its state."""
        if task.state != State.LIMITED:
            return "-"
        return f"key {task.limit_key} ({Allowance.read(task.allowance)})"

    @admin.display
    def tracebacks(self, task: Task) -> Any:
        """Of each attempt that failed."""
        parts = format_html_join("", "<h4>{}</h4><pre>{}</pre>", map(tuple, json.loads(task.errors)))
        return format_html("{}", parts) if parts else "-"

    @admin.action(description="Let the selected tasks run again", permissions=["delete"])
    def retry_selected(self, request: HttpRequest, tasks: QuerySet[Task]) -> None:
        """Let those run again that have failed or were cancelled."""
        self._act(request, tasks, retry, "run again")

    @admin.action(description="Cancel the selected tasks", permissions=["delete"])
    def cancel_selected(self, request: HttpRequest, tasks: QuerySet[Task]) -> None:
        """Cancel those that wait, and ask those that run to stop."""
        self._act(request, tasks, cancel, "are cancelled, or asked to stop")

    def _act(self, request: HttpRequest, tasks: QuerySet[Task], act: Any, done: str) -> None:
        acted = 0
        for task in tasks:
            try:
                acted += act(task_backends[task.backend].get_result(task.pk))
            except TaskResultDoesNotExist:  # it was deleted since
                continue
        self.message_user(request, f"{acted} of {len(tasks)} tasks {done}.", messages.SUCCESS)


@admin.register(Worker)
class WorkerAdmin(ReadOnly):
    """Workers."""

    list_display = ("id", "about", "beats", "seen")
    ordering = ("-seen_at",)

    @admin.display
    def seen(self, worker: Worker) -> Any:
        """When it has beaten last."""
        return shown(moment(worker.seen_at))


@admin.register(Tick)
class TickAdmin(ReadOnly):
    """Schedules."""

    list_display = ("name", "ticked", "next_tick")
    ordering: ClassVar[tuple[str, ...]] = ("name",)

    @admin.display
    def ticked(self, tick: Tick) -> Any:
        """When it has ticked last."""
        return shown(moment(tick.ticked_at))

    @admin.display
    def next_tick(self, tick: Tick) -> Any:
        """When it ticks next; None: this process has not read it, or there is no such schedule any more."""
        schedule = registered.get(tick.name)
        last = moment(tick.ticked_at)
        return shown(schedule.timing.after(last)) if schedule is not None and last is not None else None
