from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from channels.outbox.checks import check_settings
from channels.outbox.configuration import OutboxConfiguration, outbox_configuration


def test_needs_no_setting() -> None:
    assert outbox_configuration() == OutboxConfiguration()


def test_takes_what_is_set() -> None:
    with override_settings(CHANNELS_OUTBOX={"DATABASES": ["default"], "KEEP_DEAD": None, "HOOK_THREADS": 9}):
        assert outbox_configuration() == OutboxConfiguration(hook_threads=9, keep_dead=None)
        assert check_settings(None) == []
    assert outbox_configuration() == OutboxConfiguration()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"DATABASE": "default"}, "has 'DATABASE'. It knows DATABASES, POLL_INTERVAL"),
        ({"DATABASES": ["absent"]}, "['DATABASES'] is ['absent']. Set it to a list of aliases of DATABASES."),
        ({"DATABASES": "default"}, "is 'default'. Set it to a list"),
        ({"DATABASES": []}, "is []. Set it to a list"),
        ({"POLL_INTERVAL": 0}, "is 0. Set it to a number of seconds above zero."),
        ({"POLL_INTERVAL": True}, "is True. Set it"),
        ({"MAX_ATTEMPTS": 1.5}, "is 1.5. Set it to a whole number above zero."),
        ({"HOOK_THREADS": "4"}, "is '4'. Set it"),
        ({"KEEP_DEAD": -1}, "is -1. Set it to a number of seconds, or None for ever."),
        ({"MAX_SIZE": None}, "is None. Set it to a number of bytes above zero."),
    ],
)
def test_says_what_is_wrong(options, said: str) -> None:
    with override_settings(CHANNELS_OUTBOX=options):
        with pytest.raises(ImproperlyConfigured) as raised:
            outbox_configuration()
        (error,) = check_settings(None)
    assert said in str(raised.value)
    assert (error.id, error.msg) == ("channels_outbox.E001", str(raised.value))
