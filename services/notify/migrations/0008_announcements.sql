-- What staff writes to many; who hears it is decided when it is sent.
CREATE TABLE announcement (
    -- Made with the form: a form that is sent twice is one announcement.
    id           uuid PRIMARY KEY,
    mission_id   uuid NOT NULL,
    stop_id      uuid NOT NULL,
    side         text CHECK (side IN ('delegation', 'local')),
    organization text,
    subject      jsonb NOT NULL,
    body         jsonb NOT NULL,
    -- By id, as in the audit trail.
    written_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL
);
CREATE INDEX announcement_stop ON announcement (stop_id, created_at);

ALTER TABLE message
    ADD COLUMN announcement_id uuid REFERENCES announcement ON DELETE CASCADE,
    DROP CONSTRAINT message_kind_check,
    ADD CONSTRAINT message_kind_check CHECK (kind IN
        ('confirmed', 'waitlisted', 'pending', 'rejected', 'offered', 'offer_expired', 'sign_in', 'schedule',
         'application_drafted', 'application_submitted', 'application_info_requested',
         'application_selected', 'application_reserve_listed', 'application_rejected',
         'application_confirmed', 'application_lapsed', 'announcement'));
