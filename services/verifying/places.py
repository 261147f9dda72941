"""What registration's own database is asked: places, answers, versions."""

from services.verifying.questions import Question

NOBODY_WITHOUT_A_PLACE = Question(
    promise="Nobody has a place that is not there; what an item counts is what there is",
    broken="""
        WITH there AS (
            SELECT programme_item_id AS id,
                count(*) FILTER (WHERE status IN ('pending_approval', 'confirmed', 'offered'))
                    AS taken,
                count(*) FILTER (WHERE status = 'waitlisted') AS waiting
            FROM registration GROUP BY programme_item_id
        ), kept AS (
            SELECT programme_item_id AS id, sum(seats - taken) AS seats
            FROM allotment WHERE released_at IS NULL GROUP BY programme_item_id
        ), item AS (
            SELECT id, capacity, item.taken, reserved, item.waiting,
                coalesce(there.taken, 0) AS taken_there, coalesce(kept.seats, 0) AS kept_there,
                coalesce(there.waiting, 0) AS waiting_there
            FROM programme_item AS item LEFT JOIN there USING (id) LEFT JOIN kept USING (id)
        )
        SELECT 'programme item ' || id AS subject, format(
            'of %s places it counts %s taken, %s kept, %s who wait; there are %s, %s, %s',
            capacity, taken, reserved, waiting, taken_there, kept_there, waiting_there) AS detail
        FROM item
        WHERE (taken, reserved, waiting) IS DISTINCT FROM (taken_there, kept_there, waiting_there)
            OR taken_there + kept_there > capacity
    """,
    counted="SELECT count(*) FROM registration",
)

KEPT_SEATS = Question(
    promise="As many of a partner's seats are taken as its people have",
    broken="""
        WITH there AS (
            SELECT allotment_id AS id, count(*) AS taken FROM registration
            WHERE status IN ('pending_approval', 'confirmed', 'offered') GROUP BY allotment_id
        )
        SELECT 'allotment ' || id AS subject,
            format('it counts %s taken of %s; there are %s', allotment.taken, seats,
                coalesce(there.taken, 0)) AS detail
        FROM allotment LEFT JOIN there USING (id)
        WHERE allotment.taken <> coalesce(there.taken, 0)
    """,
    counted="SELECT count(*) FROM allotment",
)

NOTHING_ANSWERED_IS_LOST = Question(
    promise="What somebody was answered is there",
    broken="""
        SELECT 'registration ' || (answer ->> 'id') AS subject,
            format('answered %s to the key %L, and not there', answered_at, key) AS detail
        FROM idempotency
        WHERE status = 201 AND answer ?& '{id,participant_id,programme_item_id}'
            AND NOT EXISTS (SELECT FROM registration WHERE id = (answer ->> 'id')::uuid)
    """,
    counted="SELECT count(*) FROM idempotency WHERE status = 201",
)

EVERYTHING_WAS_ANNOUNCED = Question(
    promise="Everything that became of a person was announced",
    broken="""
        WITH told AS (SELECT key AS id, max(sequence) AS last FROM outbox GROUP BY key)
        SELECT 'person ' || id AS subject,
            format('has version %s; announced up to %s', version, last) AS detail
        FROM person JOIN told USING (id) WHERE version <> last
    """,
    counted="SELECT count(*) FROM person",
)

QUESTIONS = (
    NOBODY_WITHOUT_A_PLACE,
    KEPT_SEATS,
    NOTHING_ANSWERED_IS_LOST,
    EVERYTHING_WAS_ANNOUNCED,
)
