-- The feed: what every publisher told, in one order, for partners' systems and webhooks.
CREATE TABLE feed_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- Of this feed: a cursor of another one, made before a rebuild, is recognised.
    epoch    text NOT NULL DEFAULT left(replace(gen_random_uuid()::text, '-', ''), 12),
    position bigint NOT NULL DEFAULT 0,
    -- What is at or before it is not kept any longer.
    dropped  bigint NOT NULL DEFAULT 0
);
INSERT INTO feed_head DEFAULT VALUES;

CREATE TABLE feed_event (
    -- Given under the lock of `feed_head`: what is visible has no lower one to come.
    position     bigint PRIMARY KEY,
    event_id     uuid NOT NULL,
    -- The same event once more, for a partner that later turned out to have brought its person.
    only_partner uuid,
    type         text NOT NULL,
    key          uuid NOT NULL,
    mission_id   uuid NOT NULL,
    stop_id      uuid,
    audience     text NOT NULL CHECK (audience IN ('mission', 'stop', 'people', 'staff')),
    -- People, or the meeting, that it is about, and the partners that brought them.
    concerned    uuid[] NOT NULL,
    partners     uuid[] NOT NULL,
    -- As the feed has it (CloudEvents, JSON), and as webhooks carry it.
    event        text NOT NULL,
    hook         text NOT NULL,
    appended_at  timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (event_id, only_partner)
);
CREATE INDEX feed_event_mission ON feed_event (mission_id, position);
CREATE INDEX feed_event_concerned ON feed_event USING gin (concerned);
CREATE INDEX feed_event_appended ON feed_event (appended_at);

-- Which partners brought a person, or somebody at a meeting.
CREATE TABLE feed_concern (
    id         uuid NOT NULL,
    partner_id uuid NOT NULL,
    PRIMARY KEY (id, partner_id)
);

-- Which partners have a role at a stop; `hosts` see all of it.
CREATE TABLE feed_stop (
    stop_id    uuid PRIMARY KEY,
    mission_id uuid NOT NULL,
    hosts      uuid[] NOT NULL,
    partners   uuid[] NOT NULL,
    version    bigint NOT NULL
);

CREATE TABLE webhook (
    id             uuid PRIMARY KEY,
    mission_id     uuid NOT NULL,
    -- NULL: the mission's own.
    partner_id     uuid,
    -- NULL: all of the partner's, or of the mission.
    stop_ids       uuid[],
    url            text NOT NULL,
    name           text NOT NULL,
    -- Empty: every type.
    types          text[] NOT NULL,
    state          text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'disabled')),
    -- Why it is disabled.
    reason         text CHECK (reason IN ('gone', 'failing')),
    revision       bigint NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    created_by     uuid NOT NULL,
    -- Since the last success; the circuit is open until `resting_until`.
    failures       integer NOT NULL DEFAULT 0,
    failing_since  timestamptz,
    resting_until  timestamptz,
    CHECK ((state = 'disabled') = (reason IS NOT NULL))
);
CREATE INDEX webhook_mission ON webhook (mission_id, partner_id);

-- Encrypted; the one that was replaced signs as well until it expires.
CREATE TABLE webhook_secret (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES webhook ON DELETE CASCADE,
    scheme     text NOT NULL CHECK (scheme IN ('v1', 'v1a')),
    sealed     bytea NOT NULL,
    expires_at timestamptz
);
CREATE INDEX webhook_secret_webhook ON webhook_secret (webhook_id);

CREATE TABLE webhook_delivery (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id      uuid NOT NULL REFERENCES webhook ON DELETE CASCADE,
    -- Goes out as webhook-id, the same at each attempt.
    event_id        uuid NOT NULL,
    type            text NOT NULL,
    key             uuid NOT NULL,
    body            text NOT NULL,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    UNIQUE (webhook_id, event_id)
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook_id, next_attempt_at) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_order ON webhook_delivery (webhook_id, key, id) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_log ON webhook_delivery (webhook_id, id);
CREATE INDEX webhook_delivery_created ON webhook_delivery (created_at);

CREATE TABLE webhook_attempt (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery      bigint NOT NULL REFERENCES webhook_delivery ON DELETE CASCADE,
    at            timestamptz NOT NULL,
    milliseconds  integer NOT NULL,
    -- The answer's, or NULL and why there was none.
    status        integer,
    failure       text,
    request_head  text NOT NULL,
    response_head text NOT NULL
);
CREATE INDEX webhook_attempt_delivery ON webhook_attempt (delivery, id);
