-- Who wants no messages that staff writes to many; what is decided by it is told in the log.
ALTER TABLE wish ADD COLUMN announcements boolean NOT NULL DEFAULT true;
ALTER TABLE message
    DROP CONSTRAINT message_state_check,
    ADD CONSTRAINT message_state_check
        CHECK (state IN ('queued', 'sent', 'failed', 'superseded', 'suppressed'));

-- Mail that came back for now: three within three days, and nobody counts on the address any more.
CREATE TABLE soft_bounce (
    -- SHA-256 of the report: the same one twice counts once.
    report    bytea PRIMARY KEY,
    person_id uuid NOT NULL,
    address   bytea NOT NULL,
    at        timestamptz NOT NULL
);
CREATE INDEX soft_bounce_person ON soft_bounce (person_id, at);

ALTER TABLE suppression
    ADD COLUMN mission_id uuid,
    ADD COLUMN is_suspect boolean NOT NULL DEFAULT false;
UPDATE suppression SET mission_id =
    (SELECT mission_id FROM message WHERE message.person_id = suppression.person_id LIMIT 1);
-- Of whom no message is kept: the next one finds out anew.
DELETE FROM suppression WHERE mission_id IS NULL;
ALTER TABLE suppression ALTER COLUMN mission_id SET NOT NULL;
CREATE INDEX suppression_mission ON suppression (mission_id, since);
