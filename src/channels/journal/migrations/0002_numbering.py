"""PostgreSQL numbers what is pending by one call of a function: one round trip, with plans that are kept."""

from typing import Any, ClassVar

from django.db import migrations

# It locks streams in the order of their digests, as all numbering does. It does nothing and returns no row
# where somebody else was faster, a stream is missing or over, or what is not in ``ids`` was written before.
CREATE = """
CREATE FUNCTION channels_journal_number(
    owner_ text, note_ bytea, now_ bigint, digests text[], amounts bigint[], keeps bigint[], ends_ bigint[],
    ids bigint[], streams int[], places bigint[], expiries bigint[], records bytea[]
) RETURNS TABLE (its_epoch text, its_base bigint, its_floor bigint, are_more boolean)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    last bigint := ids[cardinality(ids)];
    stream_ids bigint[];
    epochs text[];
    bases bigint[];
    floors bigint[];
    found_rows bigint;
    more boolean;
BEGIN
    SELECT array_agg(s.id), array_agg(s.epoch), array_agg(s.top), array_agg(s.floor)
    INTO stream_ids, epochs, bases, floors
    FROM (
        SELECT id, epoch, top, floor FROM channels_journal_stream
        WHERE digest = ANY(digests) AND ends > now_ ORDER BY digest FOR UPDATE
    ) s;
    IF cardinality(stream_ids) IS DISTINCT FROM cardinality(digests) THEN
        RETURN;
    END IF;
    SELECT count(*) INTO found_rows FROM (
        SELECT 1 FROM channels_journal_pending WHERE id <= last LIMIT cardinality(ids) + 1
    ) p;
    IF found_rows <> cardinality(ids) THEN
        RETURN;
    END IF;
    DELETE FROM channels_journal_pending WHERE id = ANY(ids);
    GET DIAGNOSTICS found_rows = ROW_COUNT;
    IF found_rows <> cardinality(ids) THEN
        RAISE serialization_failure USING MESSAGE = 'another relay has numbered some of this';
    END IF;
    FOR number IN 1 .. cardinality(ids) LOOP
        IF places[number] > 0 THEN
            INSERT INTO channels_journal_publication (stream_id, place, expires, record)
            VALUES (
                stream_ids[streams[number]], bases[streams[number]] + places[number],
                expiries[number], records[number]
            );
        END IF;
    END LOOP;
    FOR number IN 1 .. cardinality(digests) LOOP
        UPDATE channels_journal_stream
        SET top = bases[number] + amounts[number], keep = keeps[number], ends = ends_[number]
        WHERE id = stream_ids[number];
    END LOOP;
    IF note_ IS NOT NULL THEN
        INSERT INTO channels_journal_relay (owner, topics, noted) VALUES (owner_, note_, now_)
        ON CONFLICT (owner) DO UPDATE SET topics = note_, noted = now_;
    END IF;
    more := EXISTS (SELECT 1 FROM channels_journal_pending WHERE id > last);
    FOR number IN 1 .. cardinality(digests) LOOP
        its_epoch := epochs[number];
        its_base := bases[number];
        its_floor := floors[number];
        are_more := more;
        RETURN NEXT;
    END LOOP;
END
$$
"""
DROP = "DROP FUNCTION IF EXISTS channels_journal_number"


def create(apps: Any, editor: Any) -> None:
    """Make the function where it can be."""
    if editor.connection.vendor == "postgresql":
        editor.execute(DROP)
        editor.execute(CREATE)


def drop(apps: Any, editor: Any) -> None:
    """Remove the function."""
    if editor.connection.vendor == "postgresql":
        editor.execute(DROP)


class Migration(migrations.Migration):
    """Make the function."""

    dependencies: ClassVar = [("channels_journal", "0001_initial")]

    operations: ClassVar = [migrations.RunPython(create, drop)]
