"""The tables of tasks, for migrations and the admin. What runs tasks uses statements of its own."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from channels.tasks.definition.states import State


class Task(models.Model):
    """A task: see :class:`~channels.tasks.stores.records.TaskRecord` for what each column means."""

    id = models.CharField(max_length=32, primary_key=True, editable=False)
    backend = models.CharField(max_length=64)
    path = models.CharField(max_length=255)
    queue = models.CharField(max_length=64)
    priority = models.SmallIntegerField(default=0)
    lane = models.SmallIntegerField(default=0)
    state = models.CharField(max_length=10, choices=[(each.value,) * 2 for each in State])
    arguments = models.TextField()
    enqueued_at = models.BigIntegerField()
    run_at = models.BigIntegerField()
    started_at = models.BigIntegerField(null=True)
    last_attempted_at = models.BigIntegerField(null=True)
    finished_at = models.BigIntegerField(null=True)
    attempts = models.IntegerField(default=0)
    losses = models.SmallIntegerField(default=0)
    owner = models.CharField(max_length=22, blank=True, default="")
    owners = models.TextField(blank=True, default="")
    errors = models.TextField(default="[]")
    result = models.TextField(null=True)
    unique_key = models.CharField(max_length=255, null=True, unique=True)
    cancel_at = models.BigIntegerField(null=True)
    viewer = models.CharField(max_length=64, blank=True, default="")
    counts_for = models.CharField(max_length=32, blank=True, default="")
    waits_for = models.CharField(max_length=32, blank=True, default="")
    needs_success = models.SmallIntegerField(default=1)
    limit_key = models.CharField(max_length=200, blank=True, default="")
    allowance = models.CharField(max_length=40, blank=True, default="")

    objects: ClassVar[models.Manager[Task]] = models.Manager()

    class Meta:  # noqa: D106
        verbose_name = "task"

    def __str__(self) -> str:
        return f"{self.path} {self.id}"


class Worker(models.Model):
    """A process that runs tasks: it counts its beats while it does."""

    id = models.CharField(max_length=22, primary_key=True, editable=False)
    beats = models.BigIntegerField(default=0)
    about = models.TextField(default="")
    seen_at = models.BigIntegerField()

    objects: ClassVar[models.Manager[Worker]] = models.Manager()

    class Meta:  # noqa: D106
        verbose_name = "worker"

    def __str__(self) -> str:
        return self.id


class Group(models.Model):
    """Tasks that another waits for: how many have not ended, and how many have not succeeded."""

    id = models.CharField(max_length=32, primary_key=True, editable=False)
    remaining = models.IntegerField()
    failed = models.IntegerField(default=0)

    objects: ClassVar[models.Manager[Group]] = models.Manager()

    class Meta:  # noqa: D106
        verbose_name = "group"

    def __str__(self) -> str:
        return self.id


class Tick(models.Model):
    """A schedule, and when it has ticked last."""

    name = models.CharField(max_length=255, primary_key=True, editable=False)
    ticked_at = models.BigIntegerField()

    objects: ClassVar[models.Manager[Tick]] = models.Manager()

    class Meta:  # noqa: D106
        verbose_name = "schedule"

    def __str__(self) -> str:
        return self.name


class Limit(models.Model):
    """The key of a limit: whoever lets tasks run that wait for it holds its row; and when to look again."""

    id = models.CharField(max_length=200, primary_key=True, editable=False)
    due_at = models.BigIntegerField(null=True)
    used_at = models.BigIntegerField()

    objects: ClassVar[models.Manager[Limit]] = models.Manager()

    class Meta:  # noqa: D106
        verbose_name = "limit"

    def __str__(self) -> str:
        return self.id


class Start(models.Model):
    """The start of a task with a rate."""

    id = models.BigAutoField(primary_key=True, editable=False)
    limit_key = models.CharField(max_length=200)
    task = models.CharField(max_length=32)
    started_at = models.BigIntegerField()

    objects: ClassVar[models.Manager[Start]] = models.Manager()

    class Meta:  # noqa: D106
        verbose_name = "start"

    def __str__(self) -> str:
        return f"{self.limit_key} {self.task}"
