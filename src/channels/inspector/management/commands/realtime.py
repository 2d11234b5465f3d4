"""``manage.py realtime``: which processes there are, who is connected, which topics; disconnect, follow."""

from __future__ import annotations

import contextlib
import json
import time
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from django.core.management import BaseCommand, CommandError

from channels import DEFAULT_CHANNEL_LAYER
from channels.diagnostics.delivery_log import MOST_CONTENT, trace_in
from channels.diagnostics.loggers import escaped
from channels.diagnostics.recording import Frame, Recording
from channels.exceptions import ChannelsError
from channels.inspector.problems import tasks_of
from channels.inspector.settings import contents_allowed
from channels.inspector.views.tasks import backends, store
from channels.layers.reach import layers_in_memory
from channels.observability.fleet import merging
from channels.observability.fleet.answers import LogEntry
from channels.observability.fleet.asking import TIME_LIMIT, NodeAnswer
from channels.observability.fleet.current import ask
from channels.observability.fleet.questions import (
    MOST_ROWS,
    Ask,
    AskConnections,
    AskLog,
    AskRecording,
    AskStatus,
    AskTopics,
    Close,
    DisconnectUser,
)
from channels.observability.problems import Problem, said

#: Code and reason of those who are disconnected, unless others are given: clients of topics stay away.
CODE: Final = 3503
REASON: Final = "force disconnect"
_NO_CONTENTS: Final = (
    "What is in messages may not be seen here. Set CHANNELS_INSPECTOR = {'CONTENTS': True} for all processes "
    "to allow it to whoever may run this command."
)
#: Seconds between two looks of `tail`.
PAUSE: Final = 1.0
_MOST_SEEN: Final = 10_000
_IN_MEMORY: Final = (
    "The channel layer is in memory, so that this command sees no other process. Use "
    "'channels.layers.host.HostChannelLayer' (one machine) or 'channels_redis.core.RedisChannelLayer' in "
    "CHANNEL_LAYERS, or the pages of channels.inspector, which see their own process."
)
_NOBODY: Final = (
    "No process answers. Is 'channels.inspector' in INSTALLED_APPS of those that run, and do they have the "
    "CHANNEL_LAYERS of this command?"
)


class Command(BaseCommand):
    """Looks at all processes of the project, and acts on who is connected."""

    help = "Which processes there are, who is connected, which topics; disconnect, follow."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the actions, and what all take."""
        parser.add_argument("--json", action="store_true", help="Answer in JSON.")
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("status", help="The processes, and what each has.")
        _declare_lists(actions)
        _declare_disconnect(actions)
        followed = actions.add_parser("tail", help="Follow what becomes of messages, until Ctrl-C.")
        followed.add_argument("name", help="The whole name of a topic, a group or a channel.")
        followed.add_argument("--seconds", type=float, default=None, metavar="N", help="End after so long.")
        traced = actions.add_parser("trace", help="What was sent in a trace, and what became of it.")
        traced.add_argument("trace", help="The id of the trace, or a traceparent.")
        recorded = actions.add_parser("record", help="Record a connection or a topic, personal data masked.")
        recorded.add_argument("--connection", default="", metavar="ID", help="An id of `connections`.")
        recorded.add_argument("--topic", default="", help="A topic: what is remembered of it.")
        recorded.add_argument("--seconds", type=float, default=30.0, metavar="N", help="For so long [30].")
        for each in actions.choices.values():
            each.add_argument("--json", action="store_true", default=SUPPRESS, help="Answer in JSON.")
            each.add_argument(
                "--timeout", type=float, default=TIME_LIMIT, help="Seconds that processes have to answer [1]."
            )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked.

        Raises:
            CommandError: no process can be asked, or none answers.
        """
        if "default" in layers_in_memory():
            raise CommandError(_IN_MEMORY)
        if options["action"] == "tail":
            self.follow(options)
            return
        if options["action"] == "record":
            self.stdout.write(record(options), ending="")
            return
        answer, lines = _ACTIONS[options["action"]](options)
        if options["json"]:
            self.stdout.write(json.dumps(answer))
        for line in () if options["json"] else lines:
            self.stdout.write(escaped(line))

    def follow(self, options: dict[str, Any]) -> None:
        """Print what becomes of messages, as it is heard of."""
        end = None if options["seconds"] is None else time.monotonic() + options["seconds"]
        seen: dict[tuple[str, float, str, str], None] = {}
        with contextlib.suppress(KeyboardInterrupt):
            while end is None or time.monotonic() < end:
                for node, entry in _new_entries(options, seen):
                    self.stdout.write(_entry_line(node, entry, options["json"]))
                self.stdout.flush()
                time.sleep(PAUSE)


def _new_entries(
    options: dict[str, Any], seen: dict[tuple[str, float, str, str], None]
) -> list[tuple[str, LogEntry]]:
    """Return what was not seen yet, the oldest first; ``seen`` keeps the last ten thousand."""
    found = []
    for message in reversed(merging.log(asked(AskLog(options["name"], limit=MOST_ROWS), options))):
        for node, entry in message.steps:
            key = (node, entry.at, entry.stage, entry.key)
            if key not in seen:
                seen[key] = None
                found.append((node, entry))
    while len(seen) > _MOST_SEEN:
        del seen[next(iter(seen))]
    return found


def _entry_line(node: str, entry: LogEntry, as_json: bool) -> str:
    if as_json:
        fields = {name: getattr(entry, name) for name in LogEntry.__struct_fields__}
        return json.dumps({"node": node, **fields})
    at = datetime.fromtimestamp(entry.at, UTC).isoformat(" ", "milliseconds")
    return escaped(f"{at}  {node}  {entry.stage} ({entry.amount})  {entry.detail}".rstrip())


def _declare_lists(actions: Any) -> None:
    listed = actions.add_parser("connections", help="Who is connected.")
    for name in ("user", "path", "topic", "address"):
        listed.add_argument(f"--{name}", default="", metavar="TEXT", help=f"A part of the {name}.")
    topics = actions.add_parser("topics", help="Topics with subscribers, or groups with members.")
    topics.add_argument("--groups", action="store_true", help="Groups instead of topics.")
    topics.add_argument("--name", default="", metavar="TEXT", help="A part of the name.")
    for each in (listed, topics):
        each.add_argument("--limit", type=int, default=50, metavar="N", help="Rows, up to 200 [50].")
        each.add_argument("--after", default="", help="Begin behind this row.")


def _declare_disconnect(actions: Any) -> None:
    ended = actions.add_parser("disconnect", help="Close connections.")
    ended.add_argument("--user", default="", help="All of the user with this name or primary key.")
    ended.add_argument("--connection", default="", metavar="ID", help="This one: an id of `connections`.")
    ended.add_argument("--code", type=int, default=CODE, help=f"The close code [{CODE}].")
    ended.add_argument("--reason", default=REASON, help=f"The reason, up to 123 bytes [{REASON}].")


def asked(question: Ask, options: dict[str, Any]) -> list[NodeAnswer]:
    """Ask; raises CommandError if nobody answers."""
    try:
        answers = ask(question, options["timeout"])
    except (ChannelsError, OSError) as error:
        problem = Problem("layer_away", {"name": DEFAULT_CHANNEL_LAYER, "error": said(error)})
        raise CommandError(f"{problem.text()} {problem.remedy()}") from error
    if not answers:
        raise CommandError(_NOBODY)
    return answers


def show_status(options: dict[str, Any]) -> tuple[Any, list[str]]:
    """Return how the processes are."""
    answers = asked(AskStatus(), options)
    lines = [*map(_line_of, answers), *(line for alias in backends() for line in _queue_lines(alias))]
    return [_node(each) for each in answers], lines


def _queue_lines(alias: str) -> list[str]:
    """Return for how long tasks of a backend wait, as its store says; a store that is away is said to be."""
    try:
        queues = store(alias).overview().queues
    except Exception as error:
        return [f"tasks {Problem('tasks_away', {'backend': alias, 'error': said(error)}).text()}"]
    return [f"tasks {alias}  queue {name}  the first waits for {s:.1f} s" for name, s in queues.items()]


def _node(answer: NodeAnswer) -> dict[str, Any]:
    found = {**msgspec.structs.asdict(answer.node), "name": answer.node.name, "state": answer.state}
    if answer.state != "ok":
        found |= {"silent": round(answer.silent, 1), "error": answer.error}
    return found | (msgspec.structs.asdict(answer.result) if answer.result is not None else {})


def _line_of(answer: NodeAnswer) -> str:
    begun = f"{answer.node.name}  {answer.node.role}"
    if answer.result is None:
        return f"{begun}  {_SAID[answer.state]} {answer.error}{_since(answer)}"
    status = answer.result
    state = "draining" if status.draining else "ok"
    if status.lag < 0:
        state = f"its event loop is held: {status.doing}"
    counts = "  ".join(f"{name} {status.counts.get(name, 0)}" for name in _SHOWN)
    if tasks := tasks_of(status.counts):
        counts += f"  tasks {tasks}"
    lag = f"  lag {1000 * status.lag:.1f} ms" if status.lag >= 0 else ""
    return f"{begun}  {state}  {counts}{lag}  {status.memory // 2**20} MB"


def _since(answer: NodeAnswer) -> str:
    return f"(last heard of {answer.silent:.0f} s ago)"


_SHOWN: Final = ("connections", "websockets", "clients", "topics", "subscriptions", "groups", "unread")
_SAID: Final = {
    "silent": "does not answer",
    "stopped": "is stopped",
    "ended": "has ended without a word",
    "failed": "could not answer:",
}


def show_connections(options: dict[str, Any]) -> tuple[Any, list[str]]:
    """Return a page of the connections."""
    wanted = {name: options[name] for name in ("user", "path", "topic", "address", "after", "limit")}
    page = merging.connections(asked(AskConnections(**wanted), options), options["limit"])
    lines = [
        f"{row.id}  {row.kind}  {row.address}  {row.path}  user {row.user or '-'}  {row.handler}  "
        f"{row.state} {row.seconds:.0f} s  topics {row.topics}  groups {row.groups}  "
        f"waiting {row.waiting}  unsent {row.unsent}"
        for row in page.rows
    ]
    return _page(page), [*lines, *_rest(page)]


def show_topics(options: dict[str, Any]) -> tuple[Any, list[str]]:
    """Return a page of the topics or groups."""
    kind: Any = "group" if options["groups"] else "topic"
    question = AskTopics(kind, options["name"], options["after"], options["limit"])
    page = merging.topics(asked(question, options), options["limit"])
    return _page(page), [*(f"{row.subscribers:8}  {row.name}" for row in page.rows), *_rest(page)]


def _page(page: merging.Page) -> dict[str, Any]:
    rows = [msgspec.structs.asdict(row) for row in page.rows]
    missing = [_node(each._replace(result=None)) for each in page.missing]
    return {"rows": rows, "total": page.total, "after": page.after, "missing": missing}


def _rest(page: merging.Page) -> list[str]:
    lines = [f"{len(page.rows)} of {page.total}"]
    lines += [f"More: --after {page.after}"] if page.after else []
    return lines + [
        f"Missing: {each.node.name} {_SAID.get(each.state, 'had too many to look at all')}"
        for each in page.missing
    ]


def show_trace(options: dict[str, Any]) -> tuple[Any, list[str]]:
    """Return what was sent in a trace, the oldest first.

    Raises:
        CommandError: it is no id of a trace.
    """
    trace = trace_in(options["trace"])
    if not trace:
        raise CommandError(f"{options['trace']!r} is no trace: give 32 hexadecimal digits, or a traceparent.")
    answers = asked(AskLog("", limit=MOST_ROWS, trace=trace), options)
    found = [(each, node, entry) for each in reversed(merging.log(answers)) for node, entry in each.steps]
    rows = [{"node": node, **msgspec.structs.asdict(entry)} for _, node, entry in found]
    lines = [f"{each.kind} {each.name}  {_entry_line(node, entry, False)}" for each, node, entry in found]
    silent = [each for each in answers if each.result is None]
    lines = lines or ["Nothing was sent in it lately, as far as the processes remember."]
    lines += [f"Missing: {each.node.name} {_SAID[each.state]}" for each in silent]
    return {"entries": rows, "missing": [_node(each) for each in silent]}, lines


def disconnect(options: dict[str, Any]) -> tuple[Any, list[str]]:
    """Close connections.

    Raises:
        CommandError: it is not said whose, or the code or reason cannot be sent.
    """
    code, reason = options["code"], options["reason"]
    if bool(options["user"]) is bool(options["connection"]):
        raise CommandError("Name a user by --user, or a connection by --connection.")
    if not (code == 1000 or 3000 <= code <= 4999) or len(reason.encode()) > 123:
        raise CommandError("--code is 1000, or 3000 to 4999; --reason has 123 bytes at most.")
    question: Ask = DisconnectUser(options["user"], code, reason)
    if options["connection"]:
        question = Close(options["connection"], code, reason)
    answers = asked(question, options)
    done = merging.amount(answers)
    silent = [each for each in answers if each.result is None]
    lines = [f"{done} connections closed.", *(f"Not asked: {each.node.name}" for each in silent)]
    return {"closed": done, "missing": [_node(each) for each in silent]}, lines


def record(options: dict[str, Any]) -> str:
    """Return a recording as text.

    Raises:
        CommandError: there is nothing to record, or contents may not be seen.
    """
    if bool(options["topic"]) is bool(options["connection"]):
        raise CommandError("Name a connection by --connection, or a topic by --topic.")
    if not contents_allowed():
        raise CommandError(_NO_CONTENTS)
    return _record_topic(options) if options["topic"] else _record_connection(options)


def _record_connection(options: dict[str, Any]) -> str:
    question = AskRecording(options["connection"], options["seconds"] + PAUSE)
    if not any(each.result for each in asked(question, options)):
        raise CommandError("There is no such WebSocket, or its process may not keep contents.")
    with contextlib.suppress(KeyboardInterrupt):
        time.sleep(options["seconds"])
    texts = [each.result.text for each in asked(AskRecording(options["connection"]), options) if each.result]
    if not texts:
        raise CommandError("The connection has ended before the recording.")
    return str(texts[0])


def _record_topic(options: dict[str, Any]) -> str:
    name = options["topic"]
    messages = merging.log(asked(AskLog(name, limit=MOST_ROWS, contents=True), options))
    published = [each for each in reversed(messages) if each.content and each.steps[0][1].kind == "topic"]
    began = published[0].at if published else 0.0
    frames = [Frame(round(each.at - began, 3), "out", each.content) for each in published]
    whole = [each for each in frames if len(each.data) < MOST_CONTENT]
    return Recording("topic", name, [], whole, len(whole) == len(frames)).masked().dumps()


_ACTIONS: Final[dict[str, Callable[[dict[str, Any]], tuple[Any, list[str]]]]] = {
    "status": show_status,
    "connections": show_connections,
    "topics": show_topics,
    "trace": show_trace,
    "disconnect": disconnect,
}
