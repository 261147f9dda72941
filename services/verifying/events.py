"""What every database is asked about its events: those it tells, and those it was told."""

from services.verifying.questions import Question

NO_GAP = Question(
    promise="Events are numbered without a gap",
    broken="""
        SELECT 'outbox' AS subject,
            format('the last number is %s; %s events have one, up to %s', head.position,
                count(outbox.position), max(outbox.position)) AS detail
        FROM outbox_head AS head LEFT JOIN outbox ON outbox.position IS NOT NULL
        GROUP BY head.position
        HAVING head.position <> count(outbox.position)
            OR head.position <> coalesce(max(outbox.position), 0)
    """,
    counted="SELECT count(*) FROM outbox",
)

NONE_WAITS = Question(
    promise="No event waits for its number for more than a minute",
    broken="""
        SELECT 'event ' || event_id AS subject,
            format('%s of %s, waits since %s', type, key, occurred_at) AS detail
        FROM outbox WHERE position IS NULL AND occurred_at < now() - interval '1 minute'
    """,
    counted="SELECT count(*) FROM outbox",
)

NONE_IS_PARKED = Question(
    promise="No event was set aside because it could not be taken in",
    broken="""
        SELECT format('%s, key %s', topic, convert_from(key, 'UTF8')) AS subject,
            format('set aside by %s at %s: %s', consumer, parked_at, reason) AS detail
        FROM dead_letter WHERE released_at IS NULL
    """,
    counted="SELECT count(*) FROM inbox",
)

TOLD = (NO_GAP, NONE_WAITS)
"""Of those that publish."""
HEARD = (NONE_IS_PARKED,)
"""Of those that read."""
