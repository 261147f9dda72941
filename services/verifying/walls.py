"""Walls: what a database refuses by itself is still there, and in force.

A restore goes on where a constraint cannot be made, and an index that failed to be built stays as
an invalid one: nothing else says so.
"""

from collections.abc import Iterable

from services.verifying.questions import Question

REGISTRATION = (
    "never_oversold",
    "registration_programme_item_id_person_id_key",
    "person_mission_id_email_key",
    "idempotency_pkey",
    "outbox_key_sequence_key",
    "outbox_position",
    "audit_entry_is_only_added_to",
)
MATCHING = (
    "nobody_in_two_places",
    "meeting_pair",
    "time_for_the_way",
    "schedule_in_force",
    "outcome_statement_is_only_added_to",
    "outbox_key_sequence_key",
    "outbox_position",
)
NOTIFY = ("message_once", "inbox_pkey")


def standing(names: Iterable[str]) -> Question:
    """Ask whether walls of these names are there, and whether any is not in force."""
    listed = ", ".join(f"('{name}')" for name in names)
    there = """
        SELECT conname AS name, convalidated AS is_in_force FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
        UNION ALL
        SELECT relname, indisvalid AND indisready FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid WHERE relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT tgname, tgenabled <> 'D' FROM pg_trigger WHERE NOT tgisinternal
    """
    return Question(
        promise="What the database itself refuses is still in force",
        broken=f"""
            WITH there AS ({there}), wanted (name) AS (VALUES {listed})
            SELECT 'wall ' || name AS subject, 'is missing' AS detail
            FROM wanted WHERE name NOT IN (SELECT name FROM there)
            UNION ALL
            SELECT 'wall ' || name, 'is there and not in force' FROM there WHERE NOT is_in_force
        """,  # noqa: S608  # names of ours
        counted=f"WITH there AS ({there}) SELECT count(*) FROM there",  # noqa: S608
    )
