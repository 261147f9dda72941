-- A row is a message over one channel; rows of one notification say the same over several.
ALTER TABLE message
    ADD COLUMN notification_id uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN channel text NOT NULL DEFAULT 'email'
        CHECK (channel IN ('email', 'web_push', 'wecom', 'sms', 'print')),
    ADD COLUMN is_urgent boolean NOT NULL DEFAULT false,
    -- Nothing is said twice over one channel.
    ADD CONSTRAINT message_once UNIQUE (notification_id, channel);

DROP INDEX message_queue, message_queue_person;
CREATE INDEX message_queue ON message (channel, next_attempt_at) WHERE state = 'queued';
CREATE INDEX message_queue_person ON message (person_id, channel, id) WHERE state = 'queued';

-- Written before a message is handed over, and finished after it. One that was never finished is
-- a process that ended between the two: nobody knows whether the message arrived.
CREATE TABLE attempt (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- `message.id`
    message    bigint NOT NULL REFERENCES message ON DELETE CASCADE,
    began_at   timestamptz NOT NULL,
    ended_at   timestamptz,
    result     text CHECK (result IN ('sent', 'deferred', 'refused', 'unknown')),
    reason     text,
    CHECK ((ended_at IS NULL) = (result IS NULL))
);
CREATE INDEX attempt_message ON attempt (message, id);

-- A browser that shows messages of ours (RFC 8030); keys as RFC 8291 has them.
CREATE TABLE push_subscription (
    endpoint   text PRIMARY KEY,
    person_id  uuid NOT NULL,
    public_key bytea NOT NULL,
    auth       bytea NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX push_subscription_person ON push_subscription (person_id);

-- What the desk tells people by hand.
CREATE TABLE by_hand (
    -- `message.id`
    message    bigint PRIMARY KEY REFERENCES message ON DELETE CASCADE,
    listed_at  timestamptz NOT NULL,
    told_at    timestamptz
);
