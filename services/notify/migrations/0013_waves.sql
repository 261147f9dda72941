-- Who was asked what came of a mission's meetings, so many days after its last stop.
CREATE TABLE result_wave (
    mission_id uuid NOT NULL,
    days       integer NOT NULL CHECK (days IN (0, 90, 180, 365)),
    person_id  uuid NOT NULL,
    -- The last one where this person met somebody.
    stop_id    uuid NOT NULL,
    asked_at   timestamptz NOT NULL,
    -- The wall: nobody is asked twice, whatever process asks, and if the last stop moves.
    PRIMARY KEY (mission_id, days, person_id)
);
CREATE INDEX result_wave_person ON result_wave (person_id);
CREATE INDEX result_wave_asked ON result_wave (asked_at);

ALTER TABLE message
    DROP CONSTRAINT message_kind_check,
    ADD CONSTRAINT message_kind_check CHECK (kind IN
        ('confirmed', 'waitlisted', 'pending', 'rejected', 'offered', 'offer_expired', 'sign_in', 'schedule',
         'application_drafted', 'application_submitted', 'application_info_requested',
         'application_selected', 'application_reserve_listed', 'application_rejected',
         'application_confirmed', 'application_lapsed', 'announcement', 'trial', 'results'));
