-- Formerly: 16c289fa8672a3fd784a4448d09ea90f12b778e1bce660833694426a0467dffe
-- Who applied which repair, as registration keeps what staff does: by id, and only added to.
CREATE TABLE audit_entry (
    id         uuid PRIMARY KEY,
    at         timestamptz NOT NULL,
    -- Both null: the system.
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
CREATE INDEX audit_entry_subject ON audit_entry (subject_id, at, id);

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
