-- Formerly: a992b85822b310c3ea84402a35b6d6f66850ef6a204e5da8867d52915bcbeae2
-- Who did what. An entry names people and things by id, so erasing a person leaves it as it is.
CREATE TABLE audit_entry (
    id         uuid PRIMARY KEY,
    at         timestamptz NOT NULL,
    -- Both null: the system, or somebody who was not signed in.
    actor_id   uuid,
    actor_role text,
    action     text NOT NULL CHECK (action ~ '^[a-z_]+(\.[a-z_]+)+$'),
    subject_id uuid NOT NULL,
    -- No references: what was done stays on file when the thing it was done to is gone.
    mission_id uuid NOT NULL,
    stop_id    uuid,
    details    jsonb NOT NULL DEFAULT '{}',
    CHECK ((actor_id IS NULL) = (actor_role IS NULL))
);
CREATE INDEX audit_entry_mission ON audit_entry (mission_id, at, id);
CREATE INDEX audit_entry_action ON audit_entry (mission_id, action, at, id);
CREATE INDEX audit_entry_subject ON audit_entry (subject_id, at, id);
CREATE INDEX audit_entry_actor ON audit_entry (actor_id, at, id) WHERE actor_id IS NOT NULL;

CREATE FUNCTION refuse_to_change_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('tradewind.audit_ends', true) = 'yes' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The audit trail is only added to; end_audit_before() deletes what is old.'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER audit_entry_is_only_added_to
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_audit();

-- The one way to delete: retention. The setting ends with the call.
CREATE FUNCTION end_audit_before(moment timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    ended bigint;
BEGIN
    -- Not in the function's head: PostgreSQL lets superusers alone write such a setting there.
    PERFORM set_config('tradewind.audit_ends', 'yes', true);
    DELETE FROM audit_entry WHERE at < moment;
    GET DIAGNOSTICS ended = ROW_COUNT;
    PERFORM set_config('tradewind.audit_ends', '', true);
    RETURN ended;
END
$$;
