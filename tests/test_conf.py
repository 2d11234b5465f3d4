from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from channels import conf


def test_defaults() -> None:
    assert conf.threads() == 64
    assert conf.slow_handler() == conf.SLOW_HANDLER


def test_as_set() -> None:
    with override_settings(CHANNELS_THREADS=3, CHANNELS_SLOW_HANDLER=2):
        assert conf.threads() == 3
        assert conf.slow_handler() == 2.0


@pytest.mark.parametrize("off", [None, 0])
def test_slow_handlers_need_not_be_logged(off: object) -> None:
    with override_settings(CHANNELS_SLOW_HANDLER=off):
        assert conf.slow_handler() is None


@pytest.mark.parametrize("wrong", [0, -1, "4", 2.5, True])
def test_threads_are_a_number(wrong: object) -> None:
    with (
        override_settings(CHANNELS_THREADS=wrong),
        pytest.raises(ImproperlyConfigured, match="CHANNELS_THREADS is"),
    ):
        conf.threads()


@pytest.mark.parametrize(("value", "number"), [(None, None), (0, 0), (7, 7)])
def test_idle_connections_may_be_bounded(value: object, number: object) -> None:
    assert conf.idle_connections() is None
    with override_settings(CHANNELS_IDLE_DATABASE_CONNECTIONS=value):
        assert conf.idle_connections() == number


@pytest.mark.parametrize("wrong", [-1, "4", 2.5, True])
def test_idle_connections_are_a_number(wrong: object) -> None:
    with (
        override_settings(CHANNELS_IDLE_DATABASE_CONNECTIONS=wrong),
        pytest.raises(ImproperlyConfigured, match="CHANNELS_IDLE_DATABASE_CONNECTIONS is"),
    ):
        conf.idle_connections()


@pytest.mark.parametrize("wrong", [-1, "10", True])
def test_seconds_are_a_number(wrong: object) -> None:
    with (
        override_settings(CHANNELS_SLOW_HANDLER=wrong),
        pytest.raises(ImproperlyConfigured, match="CHANNELS_SLOW_HANDLER is"),
    ):
        conf.slow_handler()


def test_without_settings_the_defaults_hold() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    code = "from channels import conf; assert conf.threads() >= 5 and conf.slow_handler() == 10"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)


def test_an_application_without_django_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")
    monkeypatch.setattr(conf, "settings", LazySettings())
    assert conf.threads() >= 5


@override_settings(CHANNELS_TEST_DATABASE="mine")
def test_a_database_in_tests_is_shared_or_own() -> None:
    with pytest.raises(ImproperlyConfigured, match=r'"shared" .* or to "own"'):
        conf.database_in_tests()


def test_a_page_waits_for_a_thread_as_long_as_is_set() -> None:
    assert conf.thread_wait() == conf.THREAD_WAIT
    with override_settings(CHANNELS_THREAD_WAIT=5):
        assert conf.thread_wait() == 5.0


@pytest.mark.parametrize("wrong", [0, -1, "30", True, None])
def test_that_wait_is_a_number_above_zero(wrong: object) -> None:
    with (
        override_settings(CHANNELS_THREAD_WAIT=wrong),
        pytest.raises(ImproperlyConfigured, match="CHANNELS_THREAD_WAIT is"),
    ):
        conf.thread_wait()


@pytest.mark.parametrize("whose", conf.TEST_DATABASES)
def test_either_kind_of_a_database_in_tests(whose: str) -> None:
    with override_settings(CHANNELS_TEST_DATABASE=whose):
        assert conf.database_in_tests() == whose
