-- Committed events wait here for their position; with the Postgres log this table is the log itself.
CREATE TABLE outbox (
    id             bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    position       bigint UNIQUE,
    event_id       uuid NOT NULL UNIQUE,
    topic          text NOT NULL,
    key            uuid NOT NULL,
    sequence       bigint NOT NULL,
    type           text NOT NULL,
    occurred_at    timestamptz NOT NULL,
    correlation_id text NOT NULL,
    payload        bytea NOT NULL,
    -- A command that forgot its aggregate's row lock fails here instead of racing.
    UNIQUE (key, sequence)
);
CREATE INDEX outbox_without_position ON outbox (id) WHERE position IS NULL;

CREATE TABLE outbox_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL
);
INSERT INTO outbox_head (position) VALUES (0);

-- How far the publisher to Kafka, and each reader of a Postgres log, has come.
CREATE TABLE log_cursor (
    reader   text NOT NULL,
    topic    text NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (reader, topic)
);

CREATE TABLE inbox (
    consumer    text NOT NULL,
    event_id    uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_received_at ON inbox (received_at);

CREATE TABLE dead_letter (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer    text NOT NULL,
    topic       text NOT NULL,
    key         bytea,
    headers     jsonb NOT NULL,
    payload     bytea NOT NULL,
    reason      text NOT NULL,
    parked_at   timestamptz NOT NULL DEFAULT now(),
    released_at timestamptz
);
CREATE INDEX dead_letter_parked ON dead_letter (consumer, topic, key) WHERE released_at IS NULL;
