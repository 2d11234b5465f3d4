"""The raw communicator."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any, cast

import pytest

from channels.testing import ApplicationCommunicator
from channels.testing.application import expect, split_path
from channels.typing import Receive, Scope, Send

PATIENCE = 30


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Echo; obey the message types of this test."""
    while True:
        message = await receive()
        match message["type"]:
            case "fail":
                raise KeyError("boom")
            case "end":
                return
            case "twice":
                await send(message)
                await send(message)
                return
        await send(message)


def communicator(**scope: Any) -> ApplicationCommunicator:
    return ApplicationCommunicator(echo, {"type": "test", **scope})


async def test_messages_go_both_ways() -> None:
    talk = communicator()
    await talk.send_input({"type": "a"})
    assert await talk.receive_output(PATIENCE) == {"type": "a"}
    assert await talk.receive_nothing(timeout=0.01, interval=0.001) is True
    await talk.send_input({"type": "b"})
    assert await talk.receive_nothing(timeout=PATIENCE, interval=0.001) is False
    await talk.send_input({"type": "end"})
    await talk.wait(PATIENCE)
    assert talk.future.done()


async def test_an_old_application_in_two_steps_works_too() -> None:
    def double(scope: Scope) -> Any:
        async def instance(receive: Receive, send: Send) -> None:
            await send({"type": scope["type"]})

        return instance

    assert await ApplicationCommunicator(cast(Any, double), {"type": "x"}).receive_output(PATIENCE) == {
        "type": "x"
    }


class TestFailure:
    async def test_comes_out_at_once_of_a_waiting_receive(self) -> None:
        talk = communicator()
        await talk.send_input({"type": "fail"})
        with pytest.raises(KeyError, match="boom"):
            await talk.receive_output(timeout=None)

    async def test_comes_out_of_every_other_call(self) -> None:
        talk = communicator()
        await talk.send_input({"type": "fail"})
        with pytest.raises(KeyError, match="boom"):
            await talk.wait(PATIENCE)
        with pytest.raises(KeyError, match="boom"):
            await talk.receive_output(PATIENCE)
        with pytest.raises(KeyError, match="boom"):
            await talk.send_input({"type": "x"})
        with pytest.raises(KeyError, match="boom"):
            await talk.receive_nothing()
        with pytest.raises(KeyError, match="boom"):
            talk.stop()
        talk.stop(exceptions=False)

    async def test_what_was_sent_before_the_end_is_received(self) -> None:
        talk = communicator()
        receiving = asyncio.ensure_future(talk.receive_output(PATIENCE))
        await talk.send_input({"type": "twice"})
        assert await receiving == {"type": "twice"}
        assert await talk.receive_output(PATIENCE) == {"type": "twice"}

    async def test_the_end_is_not_waited_for_in_vain(self) -> None:
        talk = communicator(path="/x")
        await talk.send_input({"type": "end"})
        with pytest.raises(
            asyncio.TimeoutError, match="ended without sending anything more on the scope 'test' '/x'"
        ):
            await talk.receive_output(timeout=None)


class TestTimeout:
    async def test_cancels_the_application(self) -> None:
        talk = communicator(path="/x")
        with pytest.raises(asyncio.TimeoutError, match=r"nothing within 0.01 s on the scope 'test' '/x'"):
            await talk.receive_output(timeout=0.01)
        assert talk.future.cancelled()

    async def test_in_wait_it_is_no_error(self) -> None:
        talk = communicator()
        await talk.wait(timeout=0.01)
        assert talk.future.cancelled()

    async def test_cancelling_a_receive_takes_nothing(self) -> None:
        talk = communicator()
        receiving = asyncio.ensure_future(talk.receive_output(PATIENCE))
        await asyncio.sleep(0)
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        await talk.send_input({"type": "a"})
        assert await talk.receive_output(PATIENCE) == {"type": "a"}


async def test_stop_cancels() -> None:
    talk = communicator()
    talk.stop()
    await talk.send_input({"type": "a"})
    talk.stop()
    with pytest.raises(asyncio.CancelledError):
        await talk.future


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/a/", ("/a/", b"")),
        ("/t%C3%A9st/?foo=b%20r&x", ("/tést/", b"foo=b%20r&x")),
        ("/tést/", ("/tést/", b"")),
        ("ws://host:1/a?b=c", ("/a", b"b=c")),
        ("/a?b=ü", ("/a", "b=ü".encode())),
    ],
)
def test_split_path(path: str, parts: tuple[str, bytes]) -> None:
    assert split_path(path) == parts


async def test_a_message_of_another_type_is_told() -> None:
    communicator = ApplicationCommunicator(echo, {"type": "test"})
    await communicator.send_input({"type": "twice"})
    assert await expect(communicator, ("once", "twice"), PATIENCE) == {"type": "twice"}
    with pytest.raises(AssertionError, match="Expected type 'once' or 'never', but was 'twice'"):
        await expect(communicator, ("once", "never"), PATIENCE)
    await communicator.send_input({"type": "end"})
    await communicator.wait(PATIENCE)


def test_a_path_is_text() -> None:
    with pytest.raises(TypeError, match="Expected str, got <class 'bytes'>"):
        split_path(b"/a")  # type: ignore[arg-type]


def test_no_server_is_imported() -> None:
    code = (
        "import sys, channels.testing\n"
        "sys.exit(any(name.startswith(('channels.server', 'daphne')) for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
