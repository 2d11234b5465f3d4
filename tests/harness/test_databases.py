from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction

from tests.support.databases import Database, PostgreSQL
from tests.support.redis_servers import wait_until
from tests.support.served import environment

PROGRAM = """
import django
from django.conf import settings
from tests.support.databases import from_environment
settings.configure(DATABASES=from_environment())
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("INSERT INTO notes VALUES ('written by another process')")
"""


def test_is_fresh_and_what_it_says_it_is(database: Database) -> None:
    with database.as_default() as default:
        name = "mariadb" if getattr(default, "mysql_is_mariadb", False) else default.vendor
        assert (name, connection.introspection.table_names()) == (database.vendor, [])


def test_takes_migrations_and_another_process(database: Database) -> None:
    with database.as_default():
        call_command("migrate", "sessions", verbosity=0)
        assert "django_session" in connection.introspection.table_names()
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE notes (said VARCHAR(99))")
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment(**database.env), check=True, timeout=30
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT said FROM notes")
            assert [row[0] for row in cursor.fetchall()] == ["written by another process"]


def test_each_thread_has_a_connection_of_its_own_to_it(database: Database) -> None:
    seen: list[bool] = []

    def look() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM notes")
            seen.append(cursor.fetchone() == (0,))

    with database.as_default(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE notes (said VARCHAR(99))")
        with transaction.atomic():
            cursor.execute("INSERT INTO notes VALUES ('not committed')")
            thread = threading.Thread(target=look)
            thread.start()
            thread.join(10)
    assert seen == [True]


def test_gives_the_connections_of_the_tests_back(sqlite: Database) -> None:
    before = connections["default"]
    with sqlite.as_default(other=sqlite) as default:
        assert connections["default"] is default is not before
        assert connections["other"].settings_dict["NAME"] == sqlite.settings["NAME"]
    assert connections["default"] is before
    assert "other" not in connections.settings


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_of_a_tests_own_ends_and_comes_back(end: str) -> None:
    with PostgreSQL() as server:
        database = server.database()
        with database.as_default():
            with connection.cursor() as cursor:
                cursor.execute("CREATE TABLE notes (said VARCHAR(99))")
            getattr(server, end)()
            connection.close()
            with pytest.raises(Exception, match="onnect"):
                connection.ensure_connection()
            server.start()
            wait_until(connection.introspection.table_names, "the table is still there")
        directory = server.directory
    assert not directory.exists()
