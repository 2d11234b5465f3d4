"""TLS: real handshakes, renewed certificates, and what is wrong with a pair."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest

from channels import telemetry
from channels.server.config import Config, ConfigError
from channels.server.endpoints.endpoints import CertificateFiles, Endpoint, ListenError, parse_endpoint
from channels.server.endpoints.tls import Credentials, secured
from tests.server.helpers import GET, LONG, UPGRADE, Client, Recorder, Running, echo, frame, serve
from tests.support.certificates import Pair, make_pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


async def connect(running: Running, context: ssl.SSLContext) -> Client:
    address = running.server.addresses[0]
    assert isinstance(address, tuple)
    async with asyncio.timeout(LONG):
        return Client(*await asyncio.open_connection(*address, ssl=context))


def certificate_of(client: Client) -> str:
    return ssl.DER_cert_to_PEM_cert(client.writer.get_extra_info("ssl_object").getpeercert(True))


async def test_a_request_over_tls_knows_that_it_is(pair: Pair) -> None:
    app = Recorder()
    async with serve(app, endpoints=(pair.endpoint,)) as running:
        client = await connect(running, pair.client("http/1.1"))
        assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        await client.send(GET)
        run = await app.next()
        assert run.scope["scheme"] == "https"
        tls = run.scope["extensions"]["tls"]
        assert tls["server_cert"].strip() == certificate_of(client).strip()
        assert tls["tls_version"] == 0x0304
        assert tls["cipher_suite"] in (0x1301, 0x1302, 0x1303)
        assert tls["client_cert_chain"] == []
        await run.respond(b"safe")
        assert (await client.response())[2] == b"safe"
        run.end()
        await client.close()


async def test_a_websocket_over_tls(pair: Pair) -> None:
    app = Recorder()
    async with serve(app, endpoints=(pair.endpoint,)) as running:
        client = await connect(running, pair.client())
        await client.send(UPGRADE)
        run = await app.next()
        assert run.scope["scheme"] == "wss"
        assert "tls" in run.scope["extensions"]
        await run.accept()
        await client.until(b"\r\n\r\n")
        await client.send(frame(b"hello"))
        await run.receive()
        await run.send({"type": "websocket.send", "text": "x" * 100_000})
        assert await client.message() == (1, b"x" * 100_000)
        run.end()
        await client.close()


async def test_one_certificate_for_every_tcp_endpoint(pair: Pair, tmp_path: Path) -> None:
    options: dict[str, Any] = {"ssl_certfile": str(pair.certificate), "ssl_keyfile": str(pair.key)}
    async with serve(echo, **options) as running:
        client = await connect(running, pair.client())
        await client.send(GET)
        assert (await client.response())[0] == 200
        await client.close()


async def test_clear_text_on_a_tls_port_is_no_request(pair: Pair) -> None:
    app = Recorder()
    async with serve(app, endpoints=(pair.endpoint,)) as running:
        client = await running.connect()
        await client.send(GET)
        await client.rest()
        assert app.runs == []


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_an_old_version_of_tls_is_refused(pair: Pair) -> None:
    old = pair.client()
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serve(echo, endpoints=(pair.endpoint,)) as running:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await connect(running, old)


async def test_a_handshake_that_does_not_come_is_cut_off(pair: Pair) -> None:
    async with serve(echo, endpoints=(pair.endpoint,), tls_timeout=0.1) as running:
        client = await running.connect()
        assert await client.rest() == b""


async def test_a_renewed_certificate_is_used_for_new_connections(pair: Pair, tmp_path: Path) -> None:
    new = make_pair(tmp_path, "new")
    async with serve(echo, endpoints=(pair.endpoint,)) as running:
        before = await connect(running, pair.client())
        shutil.copy(new.certificate, pair.certificate)
        shutil.copy(new.key, pair.key)
        while True:
            try:
                after = await connect(running, new.client())
                break
            except ssl.SSLCertVerificationError:
                await asyncio.sleep(0.05)
        await before.send(GET)
        assert (await before.response())[0] == 200
        await before.close()
        await after.close()


async def test_half_of_a_renewal_changes_nothing(pair: Pair, tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    new = make_pair(tmp_path, "new")
    credentials = Credentials(CertificateFiles(str(pair.certificate), str(pair.key)), ("http/1.1",))
    refused = telemetry.counters["server.certificate_refused"]
    shutil.copy(new.certificate, pair.certificate)
    credentials.on_due(1.0)
    credentials.on_due(2.0)
    assert telemetry.counters["server.certificate_refused"] == refused + 1
    assert "the key does not belong" in caplog.text
    assert "stays in use" in caplog.text
    shutil.copy(new.key, pair.key)
    credentials.on_due(3.0)
    assert "is in use" in caplog.text
    assert credentials.extension(None)["server_cert"] == pair.certificate.read_text()
    pair.key.unlink()
    credentials.on_due(4.0)
    assert "No such file" in caplog.text


def test_a_chain_of_its_own(pair: Pair, tmp_path: Path) -> None:
    issuer = make_pair(tmp_path, "issuer")
    text = f"{pair.endpoint}:extraCertChain={issuer.certificate}"
    files = parse_endpoint(text).tls
    assert files == CertificateFiles(str(pair.certificate), str(pair.key), str(issuer.certificate))
    assert Credentials(files, ("http/1.1",)).extension(None)["server_cert"] == pair.certificate.read_text()


def test_the_key_stands_for_both_where_nothing_else_is_said() -> None:
    assert parse_endpoint("ssl:443:privateKey=both.pem").tls == CertificateFiles("both.pem", "both.pem")
    assert parse_endpoint("ssl:443").tls == CertificateFiles("server.pem", "server.pem")


@pytest.mark.parametrize(
    ("certificate", "key", "why"),
    [
        ("server.crt", "other.key", "does not belong"),
        ("none.crt", "server.key", "none.crt: No such file"),
        ("server.crt", "none.key", "none.key: No such file"),
        ("empty", "server.key", "no usable PEM"),
        ("server.crt", "empty", "no usable PEM"),
        ("server.crt", "secret.key", "passphrase"),
    ],
)
def test_a_pair_that_cannot_be_used(certificate: str, key: str, why: str, tmp_path: Path) -> None:
    make_pair(tmp_path)
    make_pair(tmp_path, "other")
    make_pair(tmp_path, "secret", passphrase=b"word")
    (tmp_path / "empty").write_bytes(b"")
    if key == "secret.key":
        certificate = "secret.crt"
    with pytest.raises(ListenError, match=why) as caught:
        Credentials(CertificateFiles(str(tmp_path / certificate), str(tmp_path / key)), ("http/1.1",))
    assert "\n" not in str(caught.value)


async def test_the_server_does_not_start_with_it(pair: Pair, tmp_path: Path) -> None:
    other = make_pair(tmp_path, "other")
    with pytest.raises(ListenError, match="does not belong"):
        async with serve(echo, endpoints=(Pair(pair.certificate, other.key).endpoint,)):
            pass


def test_who_speaks_tls() -> None:
    config = Config(app=echo, ssl_certfile="c.pem")
    assert secured(parse_endpoint("tcp:80"), config).tls == CertificateFiles("c.pem", "c.pem")
    assert secured(Endpoint("fd", fileno=3), config).tls is not None
    assert secured(parse_endpoint("unix:/s"), config).tls is None
    own = parse_endpoint("ssl:443:privateKey=own.pem")
    assert secured(own, config) == own
    with pytest.raises(ConfigError, match="ssl_keyfile is 'k.pem', but there is no certificate"):
        Config(app=echo, ssl_keyfile="k.pem")


async def ask(pair: Pair, tmp_path: Path, client: Pair | None, requirement: str) -> dict[str, Any]:
    """What the application is told of a client that shows ``client``."""
    authority = tmp_path / "authority.crt"
    app = Recorder()
    options: dict[str, Any] = {"ssl_ca_certs": str(authority), "ssl_cert_reqs": requirement}
    async with serve(app, endpoints=(pair.endpoint,), **options) as running:
        context = pair.client()
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
        peer = await connect(running, context)
        await peer.send(GET)
        arrived = asyncio.ensure_future(app.next())
        gone = asyncio.ensure_future(peer.reader.read())
        await asyncio.wait([arrived, gone], return_when=asyncio.FIRST_COMPLETED, timeout=LONG)
        if not arrived.done():
            arrived.cancel()
            assert gone.result() == b""
            return {}
        gone.cancel()
        run = arrived.result()
        await run.respond(b"welcome")
        run.end()
        await peer.close()
        told: dict[str, Any] = run.scope["extensions"]["tls"]
        return told


@pytest.mark.parametrize("requirement", ["required", "optional"])
async def test_a_client_with_a_certificate(pair: Pair, tmp_path: Path, requirement: str) -> None:
    authority = make_pair(tmp_path, "authority")
    client = make_pair(tmp_path, "alice", signed_by=authority)
    told = await ask(pair, tmp_path, client, requirement)
    assert told["client_cert_chain"][0].strip() == client.certificate.read_text().strip()
    assert told["client_cert_name"] == "CN=alice"
    assert told["client_cert_error"] is None


@pytest.mark.parametrize(("requirement", "served"), [("required", False), ("optional", True)])
async def test_a_client_without_a_certificate(
    pair: Pair, tmp_path: Path, requirement: str, served: bool
) -> None:
    make_pair(tmp_path, "authority")
    try:
        told = await ask(pair, tmp_path, None, requirement)
    except (ssl.SSLError, ConnectionError):
        told = {}
    assert bool(told) is served
    if served:
        assert (told["client_cert_chain"], told["client_cert_name"]) == ([], None)


@pytest.mark.parametrize("requirement", ["required", "optional"])
async def test_a_client_with_a_wrong_certificate(pair: Pair, tmp_path: Path, requirement: str) -> None:
    make_pair(tmp_path, "authority")
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        assert await ask(pair, tmp_path, make_pair(tmp_path, "mallory"), requirement) == {}


@pytest.mark.parametrize(("name", "why"), [("none.crt", "No such file"), ("empty", "no usable PEM")])
def test_authorities_that_cannot_be_read(pair: Pair, tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "empty").write_bytes(b"")
    files = CertificateFiles(str(pair.certificate), str(pair.key), client_ca=str(tmp_path / name))
    with pytest.raises(ListenError, match=why) as caught:
        Credentials(files, ("http/1.1",))
    assert "--ssl-ca-certs" in str(caught.value)


def test_who_asks_clients() -> None:
    config = Config(app=echo, ssl_certfile="c.pem", ssl_ca_certs="ca.pem", ssl_cert_reqs="optional")
    for text in ("tcp:80", "ssl:443:privateKey=own.pem"):
        files = secured(parse_endpoint(text), config).tls
        assert files is not None
        assert (files.client_ca, files.client_required) == ("ca.pem", False)
    assert secured(parse_endpoint("unix:/s"), config).tls is None
    assert Config(app=echo, ssl_ca_certs="ca.pem", endpoints=("ssl:443",)).ssl_cert_reqs == "required"
    with pytest.raises(ConfigError, match="no client would be asked"):
        Config(app=echo, ssl_ca_certs="ca.pem")


def test_a_certificate_out_of_date_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old, new = make_pair(tmp_path, "old", age=3), make_pair(tmp_path, "new")
    files = CertificateFiles(str(old.certificate), str(old.key))
    credentials = Credentials(files, ("http/1.1",))
    (record,) = caplog.records
    assert "old.crt is valid from" in record.getMessage()
    assert "Renew it" in record.getMessage()
    shutil.copy(new.certificate, old.certificate)
    shutil.copy(new.key, old.key)
    credentials.on_due(1.0)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("name", ["localhost", "somebody.else"])
async def test_whatever_name_a_client_calls(pair: Pair, name: str) -> None:
    async with serve(echo, endpoints=(pair.endpoint,)) as running:
        context = pair.client()
        context.check_hostname = False
        address = running.server.addresses[0]
        client = Client(*await asyncio.open_connection(*address, ssl=context, server_hostname=name))
        await client.send(GET)
        assert (await client.response())[0] == 200
        await client.close()
