"""What matching's own database is asked: who is where, and when."""

from services.verifying.questions import Question

_HELD = """
    held AS (
        SELECT meeting.id AS meeting_id, resource_id, tstzrange(starts_at, ends_at) AS during
        FROM meeting CROSS JOIN LATERAL
            unnest(ARRAY[delegate_id, local_id, point_id, interpreter_id]) AS resource_id
        WHERE state <> 'cancelled' AND resource_id IS NOT NULL
    )
"""

NOBODY_IN_TWO_PLACES = Question(
    promise="No person, table or interpreter is in two places",
    # The latest end of all that began before, so that a long meeting is compared with every one
    # that begins while it lasts.
    broken=f"""
        WITH {_HELD}, ordered AS (
            SELECT *, max(upper(during)) OVER (PARTITION BY resource_id
                ORDER BY lower(during), meeting_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS busy_until
            FROM held
        )
        SELECT 'meeting ' || meeting_id AS subject,
            format('begins %s; %s is elsewhere until %s', lower(during), resource_id, busy_until)
                AS detail
        FROM ordered WHERE busy_until > lower(during)
    """,  # noqa: S608  # a part of our own
    counted="SELECT count(*) FROM meeting",
)

HELD_AS_BOOKED = Question(
    promise="What a meeting needs is held for it, and nothing else",
    broken=f"""
        WITH {_HELD}
        SELECT 'meeting ' || meeting_id AS subject,
            format('needs %s during %s; held is %s', resource_id,
                coalesce(held.during::text, 'nothing'), coalesce(booking.during::text, 'nothing'))
                AS detail
        FROM held FULL JOIN booking USING (meeting_id, resource_id)
        WHERE held.during IS DISTINCT FROM booking.during
    """,  # noqa: S608  # a part of our own
    counted="SELECT count(*) FROM booking",
)

ONE_MEETING_A_PAIR = Question(
    promise="Two people have one meeting with each other, at most",
    broken="""
        SELECT format('delegate %s, local participant %s', delegate_id, local_id) AS subject,
            format('have %s meetings', count(*)) AS detail
        FROM meeting WHERE state <> 'cancelled'
        GROUP BY delegate_id, local_id HAVING count(*) > 1
    """,
    counted="SELECT count(*) FROM meeting",
)

QUESTIONS = (NOBODY_IN_TWO_PLACES, HELD_AS_BOOKED, ONE_MEETING_A_PAIR)
