"""The codes: what goes with each, and what clients do about it."""

import msgspec
import pytest

from channels.protocols.centrifuge.codes import (
    APPLICATION_DISCONNECTS,
    APPLICATION_ERRORS,
    UNSUBSCRIBE_CODES,
    DisconnectCode,
    ErrorCode,
    UnsubscribeCode,
    disconnect_for,
    reconnects,
    resubscribes,
)
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.messages import Disconnect, Error, Push, Reply, Unsubscribe


def test_what_is_temporary_is_said_to_be():
    assert {code for code in ErrorCode if code.temporary} == {100, 111, 113}
    assert ErrorCode.INTERNAL_SERVER_ERROR.error() == Error(100, "internal server error", temporary=True)
    assert ErrorCode.BAD_REQUEST.error("data: expected int") == Error(107, "data: expected int")


def test_codes_are_numbers_on_the_wire():
    assert JSON.encode_reply(Reply(1, error=ErrorCode.PERMISSION_DENIED.error())) == (
        b'{"id":1,"error":{"code":103,"message":"permission denied"}}'
    )
    push = Push(channel="a", unsubscribe=UnsubscribeCode.INSUFFICIENT_STATE.unsubscribe())
    assert push.unsubscribe == Unsubscribe(2500, "insufficient state")
    assert DisconnectCode.SLOW.disconnect() == Disconnect(3008, "slow")
    codes = [ErrorCode.INTERNAL_SERVER_ERROR, DisconnectCode.BAD_REQUEST]
    assert msgspec.json.encode(codes) == b"[100,3501]"


def test_codes_lie_where_clients_look_for_them():
    assert all(code < APPLICATION_ERRORS.start for code in ErrorCode)
    assert all(code in UNSUBSCRIBE_CODES for code in UnsubscribeCode)
    assert all(3000 <= code < APPLICATION_DISCONNECTS.start for code in DisconnectCode)


@pytest.mark.parametrize("code", DisconnectCode)
def test_reasons_are_short_and_no_json(code):
    assert code.reason.isascii()
    assert 0 < len(code.reason) <= 32
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(code.reason)


COMES_BACK = [1000, 1001, 1006, 1008, 1011, 1012, 3000, 3001, 3012, 3499, 4000, 4401, 4499, 5000]
STAYS_AWAY = [1009, 3500, 3501, 3999, 4500, 4999]


@pytest.mark.parametrize(
    ("code", "expected"), [(c, True) for c in COMES_BACK] + [(c, False) for c in STAYS_AWAY]
)
def test_who_reconnects(code, expected):
    assert reconnects(code) is expected


@pytest.mark.parametrize(("code", "expected"), [(2000, False), (2499, False), (2500, True), (2502, True)])
def test_who_resubscribes(code, expected):
    assert resubscribes(code) is expected


@pytest.mark.parametrize(
    ("error", "code"), [(109, 3005), (110, 3005), (111, 3013), (103, 3507), (100, 3004), (400, 3004)]
)
def test_an_error_to_connect_ends_a_unidirectional_transport(error, code):
    assert disconnect_for(error) == code
