-- Facts of others, read from events; `version` is the sequence of the last event applied.
CREATE TABLE mission (
    id           uuid PRIMARY KEY,
    title        jsonb NOT NULL,
    is_rehearsal boolean NOT NULL,
    version      bigint NOT NULL
);

CREATE TABLE stop (
    id         uuid PRIMARY KEY,
    mission_id uuid NOT NULL,
    slug       text NOT NULL,
    city       jsonb NOT NULL,
    title      jsonb NOT NULL,
    venue      jsonb,
    timezone   text NOT NULL,
    held_on    date NOT NULL,
    version    bigint NOT NULL
);

CREATE TABLE programme_item (
    id        uuid PRIMARY KEY,
    stop_id   uuid NOT NULL,
    title     jsonb NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL,
    version   bigint NOT NULL
);

-- Each meeting as its last event told it. What Redis holds can be made anew from here.
CREATE TABLE live_meeting (
    meeting_id uuid PRIMARY KEY,
    stop_id    uuid NOT NULL,
    revision   bigint NOT NULL,
    state      text NOT NULL,
    starts_at  timestamptz NOT NULL,
    people     uuid[] NOT NULL,
    -- Exactly what listeners are sent.
    live       text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX live_meeting_stop ON live_meeting (stop_id, starts_at);
CREATE INDEX live_meeting_people ON live_meeting USING gin (people);

-- One row a mail. No name and no address: both are asked for when it is rendered.
CREATE TABLE message (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Goes out as Message-ID: a mail sent again after a crash can be recognised.
    message_id        uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    kind              text NOT NULL CHECK (kind IN
        ('confirmed', 'waitlisted', 'pending', 'rejected', 'sign_in', 'schedule')),
    person_id         uuid NOT NULL,
    mission_id        uuid NOT NULL,
    stop_id           uuid,
    programme_item_id uuid,
    -- `superseded`: when its turn came, an earlier mail had said all of it.
    state             text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'sent', 'failed', 'superseded')),
    attempts          integer NOT NULL DEFAULT 0,
    next_attempt_at   timestamptz NOT NULL,
    created_at        timestamptz NOT NULL,
    sent_at           timestamptz,
    reason            text
);
CREATE INDEX message_queue ON message (next_attempt_at) WHERE state = 'queued';
CREATE INDEX message_queue_person ON message (person_id, id) WHERE state = 'queued';
CREATE INDEX message_person ON message (person_id, id);

-- Somebody's schedule changed; when no more changes came for a while, this becomes one mail.
CREATE TABLE notice (
    person_id  uuid NOT NULL,
    stop_id    uuid NOT NULL,
    mission_id uuid NOT NULL,
    since      timestamptz NOT NULL,
    due_at     timestamptz NOT NULL,
    PRIMARY KEY (person_id, stop_id)
);
CREATE INDEX notice_due ON notice (due_at);

-- What each person was told of a meeting, so that a mail has the differences, and a calendar
-- hears of a meeting that is not theirs any more.
CREATE TABLE told (
    person_id        uuid NOT NULL,
    meeting_id       uuid NOT NULL,
    stop_id          uuid NOT NULL,
    changed_revision bigint NOT NULL,
    told_revision    bigint,
    PRIMARY KEY (person_id, meeting_id)
);
CREATE INDEX told_stop ON told (person_id, stop_id);

-- The embedded mailbox: mails received by the SMTP server of a process that runs one.
CREATE TABLE mailbox_message (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    recipients  text[] NOT NULL,
    subject     text NOT NULL,
    message_id  text NOT NULL,
    content     bytea NOT NULL
);
