-- Formerly: ca1618cc1129970295f80a5ddeef56ec1e1ae402f24f2ce49c5f67468f68c12f
-- Mails in a mission's own words. Versions are only added; the last one counts.
CREATE TABLE mail_template (
    mission_id uuid NOT NULL,
    name       text NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    -- By language: subject and body. NULL: the built-in words again.
    texts      jsonb,
    -- By id, as in the audit trail.
    written_by uuid NOT NULL,
    written_at timestamptz NOT NULL,
    PRIMARY KEY (mission_id, name, version)
);

ALTER TABLE message
    DROP CONSTRAINT message_kind_check,
    ADD CONSTRAINT message_kind_check CHECK (kind IN
        ('confirmed', 'waitlisted', 'pending', 'rejected', 'offered', 'offer_expired', 'sign_in', 'schedule',
         'application_drafted', 'application_submitted', 'application_info_requested',
         'application_selected', 'application_reserve_listed', 'application_rejected',
         'application_confirmed', 'application_lapsed', 'announcement', 'trial'));

-- A template that somebody sends to him- or herself, saved or not.
CREATE TABLE mail_trial (
    -- `message.id`
    message  bigint PRIMARY KEY REFERENCES message ON DELETE CASCADE,
    name     text NOT NULL,
    language text NOT NULL CHECK (language IN ('en', 'zh')),
    subject  text NOT NULL,
    body     text NOT NULL
);

-- Who did what, as in registration: by id, and only added to.
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
