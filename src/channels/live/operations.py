"""Migration operations: triggers by which PostgreSQL tells of changes that Django does not see."""

from __future__ import annotations

from typing import Any, Final

from django.db.migrations.operations.base import Operation

from channels.live.capture.triggers import TRIGGER

#: Notifies of the table, the keys of its changed rows, unless they are many, and the transaction.
_FUNCTION: Final = """
CREATE OR REPLACE FUNCTION channels_live_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    keys jsonb := 'null';
    source text := CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT %1$I AS key FROM after_it'
        WHEN 'DELETE' THEN 'SELECT %1$I AS key FROM before_it'
        ELSE 'SELECT %1$I AS key FROM after_it UNION SELECT %1$I FROM before_it' END;
BEGIN
    IF TG_OP <> 'TRUNCATE' THEN
        EXECUTE format(
            'SELECT jsonb_agg(key) FROM (SELECT key FROM (' || source || ') AS a LIMIT 501) AS b',
            TG_ARGV[0]
        ) INTO keys;
        IF keys IS NULL THEN
            RETURN NULL;
        END IF;
        IF jsonb_array_length(keys) > 500 OR length(keys::text) > 7000 THEN
            keys := 'null';
        END IF;
    END IF;
    PERFORM pg_notify('channels_live', json_build_object(
        'table', TG_TABLE_NAME, 'keys', keys, 'transaction', txid_current()::text)::text);
    RETURN NULL;
END $$
"""
#: What each trigger hears, and by which names the function finds the rows.
_TRIGGERS: Final = {
    "INSERT": "REFERENCING NEW TABLE AS after_it",
    "UPDATE": "REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it",
    "DELETE": "REFERENCING OLD TABLE AS before_it",
    "TRUNCATE": "",
}


class WatchTable(Operation):
    """Have PostgreSQL tell live queries of every change of a model's table, whoever makes it.

    Raw SQL and other programs are seen then. On other databases it does nothing.

    Args:
        model_name: of the app of the migration.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return how it is written in a migration."""
        return type(self).__name__, [], {"model_name": self.model_name}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change nothing: models stay as they are."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Make the triggers."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if self._applies(schema_editor, model):
            table, key = (schema_editor.quote_name(model._meta.db_table), model._meta.pk.column)
            schema_editor.execute(_FUNCTION, params=None)
            for event, names in _TRIGGERS.items():
                schema_editor.execute(f"DROP TRIGGER IF EXISTS {TRIGGER}_{event.lower()} ON {table}")
                schema_editor.execute(
                    f"CREATE TRIGGER {TRIGGER}_{event.lower()} AFTER {event} ON {table} {names} FOR EACH "
                    f"STATEMENT EXECUTE FUNCTION channels_live_changed({schema_editor.quote_value(key)})",
                    params=None,
                )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Remove the triggers."""
        model = from_state.apps.get_model(app_label, self.model_name)
        if self._applies(schema_editor, model):
            table = schema_editor.quote_name(model._meta.db_table)
            for event in _TRIGGERS:
                schema_editor.execute(f"DROP TRIGGER IF EXISTS {TRIGGER}_{event.lower()} ON {table}")

    def describe(self) -> str:
        """Return what it does, for people."""
        return f"Tell live queries of changes of {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        """Part of the name of a migration."""
        return f"watch_{self.model_name.lower()}"

    def _applies(self, schema_editor: Any, model: Any) -> bool:
        connection = schema_editor.connection
        return connection.vendor == "postgresql" and self.allow_migrate_model(connection.alias, model)
