"""What the processes of the kill tests write to the outbox, and what it has done."""

from __future__ import annotations

import os
from pathlib import Path

from django.db import connection

from channels.layers import get_channel_layer
from channels.outbox import on_commit_durably
from tests.outbox.relay.victim import FILE, die

TABLE = "CREATE TABLE effects (number INTEGER)"
MESSAGES = 3


@on_commit_durably
def into_the_file(line: str) -> None:
    with Path(os.environ[FILE]).open("a") as file:
        file.write(f"{line}\n")
    if os.environ.get("OUTBOX_STEP") == "running":
        die()


@on_commit_durably(atomic=True)
def into_the_table(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO effects VALUES (%s)", [number])


def write(kinds: str) -> None:
    """Write three messages to one group, or a call of a hook, or all of it."""
    if "messages" in kinds:
        for number in range(MESSAGES):
            get_channel_layer().durable.group_send("room", {"type": "said", "number": number})
    if "file" in kinds:
        into_the_file.on_commit("called")
    if "table" in kinds:
        into_the_table.on_commit(1)


ALL = "messages, file, table"
