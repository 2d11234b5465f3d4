import pytest

from channels.protocols.http.fields import ResponseFields
from channels.protocols.http1.connection import HTTP1Connection
from channels.protocols.http1.response import ResponseWriter
from tests.protocols.facts import amount_of

LENGTH_3 = [(b"content-length", b"3")]


def asked(method=b"GET", version=b"1.1", *fields):
    """A connection that has read one request."""
    connection = HTTP1Connection()
    head = b"\r\n".join((b"%b / HTTP/%b" % (method, version), b"Host: a", *fields))
    connection.receive_data(head + b"\r\n\r\n")
    connection.next_event()
    return connection


def respond(connection, status, headers, *parts):
    connection.send_response(status, headers)
    for part in parts:
        connection.send_data(part)
    connection.end_message()
    return connection.data_to_send()


def test_nothing_to_send():
    assert asked().data_to_send() == b""


def test_a_body_with_a_given_length():
    connection = asked()
    output = respond(connection, 200, [(b"Content-Length", b"5"), (b"x", b"")], b"he", b"", b"llo")
    assert output == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: \r\n\r\nhello"
    assert connection.keep_alive
    assert connection.response_ended
    assert connection.data_to_send() == b""


def test_a_body_without_a_length_goes_in_chunks():
    connection = asked()
    output = respond(connection, 404, [(b"a", b"b")], b"x" * 16, b"", b"y")
    assert output == (
        b"HTTP/1.1 404 Not Found\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n"
        b"10\r\nxxxxxxxxxxxxxxxx\r\n1\r\ny\r\n0\r\n\r\n"
    )
    assert connection.keep_alive


def test_a_body_without_a_length_ends_an_old_connection():
    connection = asked(b"GET", b"1.0", b"Connection: keep-alive")
    assert respond(connection, 200, [], b"x", b"y") == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nxy"
    assert not connection.keep_alive


def test_an_old_connection_that_lives_on_is_told_so():
    connection = asked(b"GET", b"1.0", b"Connection: keep-alive")
    output = respond(connection, 200, LENGTH_3, b"abc")
    assert output == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: keep-alive\r\n\r\nabc"
    assert connection.keep_alive


@pytest.mark.parametrize(
    ("method", "status", "headers", "output"),
    [
        (b"HEAD", 200, LENGTH_3, b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"),
        (b"HEAD", 200, [], b"HTTP/1.1 200 OK\r\n\r\n"),
        (b"GET", 204, LENGTH_3, b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", 304, LENGTH_3, b"HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n"),
        (b"GET", 304, [(b"transfer-encoding", b"chunked")], b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    ],
)
def test_where_there_is_no_body_none_reaches_the_wire(method, status, headers, output):
    connection = asked(method)
    assert respond(connection, status, headers, b"abcdef") == output
    assert connection.keep_alive


def test_more_than_the_length_never_reaches_the_wire():
    connection = asked()
    connection.send_response(200, LENGTH_3)
    connection.send_data(b"ab")
    connection.data_to_send()
    with pytest.raises(ValueError, match="2 bytes were to be sent where 1 are left"):
        connection.send_data(b"cd")
    assert connection.data_to_send() == b""


def test_less_than_the_length_ends_the_connection():
    connection = asked()
    connection.send_response(200, LENGTH_3)
    with pytest.raises(ValueError, match="3 bytes short"):
        connection.end_message()
    assert not connection.keep_alive


@pytest.mark.parametrize("fields", [(b"Connection: close",), ()])
@pytest.mark.parametrize("given", [[(b"Connection", b"close")], [(b"connection", b"x, Close")], []])
def test_who_wants_to_close_is_obeyed_and_it_is_said_once(fields, given):
    connection = asked(b"GET", b"1.1", *fields)
    output = respond(connection, 200, [*given, *LENGTH_3], b"abc")
    wanted = bool(fields or given)
    assert output.lower().count(b"connection: close\r\n") == wanted
    assert output.lower().count(b"connection:") == wanted
    assert connection.keep_alive is not wanted


def test_the_application_cannot_keep_a_connection_that_ends():
    output = respond(
        asked(b"GET", b"1.1", b"Connection: close"), 200, [(b"connection", b"keep-alive"), *LENGTH_3], b"abc"
    )
    assert output == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc"


def test_a_wish_for_chunks_is_said_once():
    output = respond(asked(), 200, [(b"Transfer-Encoding", b"Chunked")], b"a")
    assert output == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"


def test_length_beside_a_wish_for_chunks():
    output = respond(asked(), 200, [(b"transfer-encoding", b"chunked"), *LENGTH_3], b"abc")
    assert output == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"


def test_another_transfer_coding_is_an_error():
    with pytest.raises(ValueError, match=r"b'gzip' cannot be sent.*Content-Encoding"):
        asked().send_response(200, [(b"transfer-encoding", b"gzip")])


def test_the_same_length_twice_is_said_once():
    output = respond(asked(), 200, [*LENGTH_3, (b"Content-Length", b"3")], b"abc")
    assert output == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"


def test_other_fields_may_repeat():
    output = respond(asked(), 200, [(b"set-cookie", b"a"), (b"set-cookie", b"b"), *LENGTH_3], b"abc")
    assert output.count(b"set-cookie: ") == 2


def test_different_lengths_are_an_error():
    with pytest.raises(ValueError, match="several different Content-Length"):
        asked().send_response(200, [*LENGTH_3, (b"Content-Length", b"4")])


@pytest.mark.parametrize("length", [b"", b"-1", b"+1", b"a", b"1.5", b" 1", b"1, 1"])
def test_a_length_that_is_none(length):
    with pytest.raises(ValueError, match="Content-Length is a number of bytes"):
        asked().send_response(200, [(b"content-length", length)])


def test_switching_protocols():
    connection = asked()
    headers = [(b"connection", b"Upgrade"), (b"content-length", b"0"), (b"transfer-encoding", b"chunked")]
    connection.send_response(101, headers)
    assert connection.data_to_send() == b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\r\n"
    assert not connection.keep_alive


OWN = ResponseFields(((b"server", b"x"),))


def test_another_protocol_begins_with_what_the_server_says_too():
    connection = asked(b"GET", b"1.1", b"Connection: Upgrade", b"Upgrade: websocket")
    connection.switch_protocols([(b"connection", b"Upgrade"), (b"content-length", b"5")], OWN)
    assert connection.data_to_send() == (
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nserver: x\r\n\r\n"
    )
    assert not connection.keep_alive
    with pytest.raises(RuntimeError, match="a response now"):
        connection.switch_protocols([], OWN)


@pytest.mark.parametrize("header", [(b"x", b"a\r\nb: c"), (b"x y", b"z"), (b"content-length", b"x")])
def test_another_protocol_does_not_begin_with_what_cannot_be_sent(header):
    connection = asked(b"GET", b"1.1", b"Connection: Upgrade", b"Upgrade: websocket")
    with pytest.raises(ValueError, match="cannot be sent|no header name|number of bytes"):
        connection.switch_protocols([header], OWN)
    assert connection.data_to_send() == b""
    connection.switch_protocols([], OWN)
    assert connection.data_to_send().endswith(b"server: x\r\n\r\n")


@pytest.mark.parametrize("status", [0, 99, 100, 103, 199, 1000, -200])
def test_a_status_that_is_none(status):
    with pytest.raises(ValueError, match=rf"101 or 200 to 999, not {status}"):
        asked().send_response(status, [])


def test_a_status_without_a_name():
    assert respond(asked(), 299, LENGTH_3, b"abc").startswith(b"HTTP/1.1 299 \r\n")


# What cannot be sent


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\nb", b"a\rb", b"a\0b", b"\r\n", b"\r\n\r\nbody"])
@pytest.mark.parametrize("send", ["send_response", "send_informational"])
def test_response_splitting_is_impossible(send, value):
    connection = asked()
    status = 200 if send == "send_response" else 103
    with pytest.raises(ValueError, match="b'x-bad'.*CR, LF or NUL"):
        getattr(connection, send)(status, [(b"x-good", b"a"), (b"x-bad", value)])
    assert connection.data_to_send() == b""


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\nb", b"\xe9", b"a\0", b"(a)"])
def test_a_name_that_is_none(name):
    with pytest.raises(ValueError, match="is no header name") as caught:
        asked().send_response(200, [(b"good", b"a"), (name, b"b")])
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("header", [("a", b"b"), (b"a", "b"), (b"a", None), (None, b"b"), (b"a", 1)])
def test_headers_are_bytes(header):
    with pytest.raises(TypeError, match=r"pairs of bytes, not \(\w+, \w+\) for b?'?\w+"):
        asked().send_response(200, [header])


@pytest.mark.parametrize(
    "headers",
    [[(b"set-cookie", b"s3cret\n")], [(b"set-cookie", "s3cret")], [("s3cret",)], ["s3cret"], "s3cret"],
)
def test_an_error_shows_no_value(headers):
    with pytest.raises((TypeError, ValueError)) as caught:
        asked().send_response(200, headers)
    assert "s3cret" not in str(caught.value)


# Interim responses


def test_interim_responses_come_before_the_response():
    connection = asked()
    connection.send_informational(100)
    connection.send_informational(103, [(b"link", b"</a>")])
    output = respond(connection, 200, LENGTH_3, b"abc")
    assert output.startswith(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"
    )


def test_old_peers_get_no_interim_responses():
    connection = asked(b"GET", b"1.0")
    connection.send_informational(103)
    assert connection.data_to_send() == b""


def test_an_interim_status_without_a_name():
    connection = asked()
    connection.send_informational(199)
    assert connection.data_to_send() == b"HTTP/1.1 199 \r\n\r\n"


@pytest.mark.parametrize("status", [99, 101, 200])
def test_an_interim_status_that_is_none(status):
    with pytest.raises(ValueError, match=rf"102 to 199, not {status}"):
        asked().send_informational(status)


# Trailers


def test_trailers_follow_chunks():
    connection = asked()
    connection.send_response(200, [])
    connection.end_message([(b"x-sum", b"1")])
    assert connection.data_to_send().endswith(b"\r\n\r\n0\r\nx-sum: 1\r\n\r\n")


def test_trailers_that_cannot_be_sent_are_counted():
    connection = asked()
    connection.send_response(200, [(b"content-length", b"0")])
    before = amount_of(connection, "protocols.trailers_dropped")
    connection.end_message([(b"x-sum", b"1"), (b"y", b"2")])
    assert connection.data_to_send().endswith(b"\r\n\r\n")
    assert amount_of(connection, "protocols.trailers_dropped") == before + 2


def test_a_bad_trailer():
    connection = asked()
    connection.send_response(200, [])
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        connection.end_message([(b"x", b"\n")])


# Out of turn


def test_before_any_request_an_answer_ends_the_connection():
    writer = ResponseWriter()
    assert respond(writer, 400, LENGTH_3, b"bad") == (
        b"HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbad"
    )


def test_a_violation_between_two_requests_can_be_answered():
    connection = asked()
    respond(connection, 200, LENGTH_3, b"abc")
    connection.start_next_cycle()
    connection.receive_data(b"?\r\n\r\n")
    assert connection.next_event().status == 400
    assert b"400 Bad Request" in respond(connection, 400, LENGTH_3, b"bad")


@pytest.mark.parametrize(
    ("call", "arguments", "what"),
    [
        ("send_data", (b"a",), "a body now: no response has begun"),
        ("end_message", (), "the end of a response now: no response has begun"),
    ],
)
def test_out_of_turn_before_the_head(call, arguments, what):
    with pytest.raises(RuntimeError, match=f"Cannot send {what}"):
        getattr(asked(), call)(*arguments)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("send_response", (200, [])),
        ("send_informational", (100,)),
        ("send_data", (b"a",)),
        ("end_message", ()),
    ],
)
def test_out_of_turn_after_the_end(call, arguments):
    connection = asked()
    respond(connection, 200, LENGTH_3, b"abc")
    with pytest.raises(RuntimeError, match="the response is complete"):
        getattr(connection, call)(*arguments)


def test_a_second_head():
    connection = asked()
    connection.send_response(200, [])
    with pytest.raises(RuntimeError, match="the response has begun"):
        connection.send_response(200, [])


@pytest.mark.parametrize(
    ("version", "headers", "before", "behind"),
    [
        (b"1.1", LENGTH_3, b"", b""),
        (b"1.1", [], b"3\r\n", b"\r\n"),
        (b"1.0", [], b"", b""),
    ],
)
def test_a_part_of_a_body_that_somebody_else_writes(version, headers, before, behind):
    connection = asked(version=version)
    connection.send_response(200, headers)
    connection.data_to_send()
    assert connection.begin_data(3) == behind
    assert connection.data_to_send() == before
    connection.end_message()


def test_nobody_else_writes_where_there_is_no_body():
    connection = asked(b"HEAD")
    connection.send_response(200, LENGTH_3)
    assert connection.begin_data(3) is None


def test_what_somebody_else_writes_keeps_to_the_length():
    connection = asked()
    with pytest.raises(RuntimeError, match="Cannot send a body now"):
        connection.begin_data(3)
    connection.send_response(200, LENGTH_3)
    with pytest.raises(ValueError, match="longer than its Content-Length"):
        connection.begin_data(4)


# Whole responses

OWN = ResponseFields(((b"server", b"x"),))
TEXT = ResponseFields(((b"content-type", b"text/plain"),))
SIZED = ResponseFields(((b"content-length", b"3"),), length=3)


def test_a_whole_response_is_written_as_in_steps():
    steps, whole = asked(), asked()
    headers = [(b"content-type", b"text/plain"), *LENGTH_3, (b"server", b"x")]
    assert whole.send_whole(200, TEXT, OWN, b"abc") == respond(steps, 200, headers, b"abc")
    assert whole.response_ended
    whole.start_next_cycle()


def test_a_length_that_was_given_is_kept():
    written = asked().send_whole(404, SIZED, OWN, b"abc")
    assert written == b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\nserver: x\r\n\r\nabc"


@pytest.mark.parametrize(
    ("connection", "status", "fields"),
    [
        (asked(b"HEAD"), 200, TEXT),
        (asked(b"GET", b"1.0"), 200, TEXT),
        (asked(b"GET", b"1.1", b"Connection: close"), 200, TEXT),
        (asked(), 204, TEXT),
        (asked(), 304, TEXT),
        (asked(), 299, TEXT),
        (asked(), 200, ResponseFields(((b"content-length", b"4"),), length=4)),
        (ResponseWriter(), 200, TEXT),
    ],
)
def test_what_has_to_be_settled_is_not_written_at_once(connection, status, fields):
    assert connection.send_whole(status, fields, OWN, b"abc") is None
    assert connection.data_to_send() == b""
    assert not connection.response_ended
    connection.send_response(status, [])


def test_a_whole_response_waits_for_what_was_written_before():
    connection = asked()
    connection.send_informational(103, [])
    assert connection.send_whole(200, TEXT, OWN, b"") is None


def test_a_second_whole_response():
    connection = asked()
    connection.send_whole(200, TEXT, OWN, b"")
    assert connection.send_whole(200, TEXT, OWN, b"") is None
