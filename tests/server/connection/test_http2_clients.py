"""HTTP/2 on a running server, with the clients that everybody has."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import httpx
import pytest

from tests.server.helpers import LONG, Running, echo, serve
from tests.support.certificates import make_pair


async def run_client(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), LONG)
    assert process.returncode == 0, output
    return output.decode()


def url(running: Running, scheme: str = "http") -> str:
    host, port = running.server.addresses[0]
    return f"{scheme}://{host}:{port}/path"


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@needs_curl
@pytest.mark.parametrize("flag", ["--http2", "--http2-prior-knowledge"])
async def test_curl_in_clear_text(flag: str) -> None:
    async with serve(echo, http2_upgrade=True) as running:
        assert (
            "hello2"
            in await run_client(
                "curl", "-sS", flag, "-w", "%{http_version}", "-X", "POST", "-d", "hello", url(running)
            )
            or flag == "--http2"
        )
        assert (
            await run_client("curl", "-sS", flag, "-o", "/dev/null", "-w", "%{http_version}", url(running))
            == "2"
        )


@needs_curl
@pytest.mark.usefixtures("both_engines")
async def test_curl_over_tls(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    command = ["curl", "-sS", "--cacert", str(pair.certificate), "-w", "%{http_version}", "--data-binary"]
    payload = tmp_path / "payload"
    payload.write_bytes(b"x" * 3_000_000)
    async with serve(echo, endpoints=(pair.endpoint,)) as running:
        output = await run_client(*command, f"@{payload}", "--http2", url(running, "https"))
        assert output == "x" * 3_000_000 + "2"
        assert (await run_client(*command, "a", "--http1.1", url(running, "https"))) == "a1.1"


@pytest.mark.skipif(shutil.which("nghttp") is None, reason="nghttp is not installed")
async def test_nghttp() -> None:
    async with serve(echo, http2_upgrade=True) as running:
        for more in ([], ["--upgrade"]):
            output = await run_client("nghttp", "-nv", *more, url(running))
            assert ":status: 200" in output
            assert "x-path: /path" in output


async def test_httpx(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    async with (
        serve(echo, endpoints=(pair.endpoint,)) as running,
        httpx.AsyncClient(http2=True, verify=pair.client()) as client,
    ):
        answers = await asyncio.gather(
            *(client.post(url(running, "https"), content=b"%d" % number) for number in range(50))
        )
        assert {answer.http_version for answer in answers} == {"HTTP/2"}
        assert [answer.content for answer in answers] == [b"%d" % number for number in range(50)]
