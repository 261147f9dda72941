-- The wall against meeting at two venues with less time between than the way takes. All that a
-- statement books is looked at together, so that a whole schedule is swapped at once; whoever books
-- at a stop with ways does so under its lock, as commands do anyway, and sees what others booked.
CREATE FUNCTION refuse_too_far() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM meeting JOIN way USING (stop_id)
        WHERE meeting.id IN (SELECT meeting_id FROM held)
    ) THEN
        RETURN NULL;
    END IF;
    PERFORM FROM stop
        WHERE id IN (SELECT stop_id FROM meeting WHERE id IN (SELECT meeting_id FROM held))
        ORDER BY id FOR UPDATE;
    IF EXISTS (
        WITH visit AS MATERIALIZED (
            SELECT booking.meeting_id, booking.resource_id, booking.during, meeting.stop_id,
                coalesce(point.venue, session.venue) AS venue
            FROM booking
            JOIN meeting ON meeting.id = booking.meeting_id
                AND meeting.point_id <> booking.resource_id
            JOIN meeting_session AS session ON session.id = meeting.session_id
            JOIN meeting_point AS point ON point.id = meeting.point_id
            WHERE booking.resource_id IN (SELECT resource_id FROM held)
        )
        SELECT FROM held
        JOIN visit AS here USING (meeting_id, resource_id)
        JOIN visit AS there USING (resource_id, stop_id)
        JOIN way ON way.stop_id = here.stop_id
            AND way.one = least(here.venue, there.venue)
            AND way.other = greatest(here.venue, there.venue)
        WHERE NOT here.during && there.during
            AND lower(here.during) < upper(there.during) + make_interval(mins => way.minutes)
            AND lower(there.during) < upper(here.during) + make_interval(mins => way.minutes)
    ) THEN
        RAISE EXCEPTION 'Somebody has no time for the way between two meetings.'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'time_for_the_way';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER time_for_the_way AFTER INSERT ON booking
    REFERENCING NEW TABLE AS held FOR EACH STATEMENT EXECUTE FUNCTION refuse_too_far();
CREATE TRIGGER time_for_the_way_still AFTER UPDATE ON booking
    REFERENCING NEW TABLE AS held FOR EACH STATEMENT EXECUTE FUNCTION refuse_too_far();
