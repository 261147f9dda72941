-- How far a search is, and what it is about to leave or has left: entries are the best so far.
ALTER TABLE schedule
    DROP CONSTRAINT schedule_progress_check,
    ADD CONSTRAINT schedule_progress_check CHECK (progress IN
        ('queued', 'running', 'done', 'failed', 'cancelled')),
    ADD COLUMN is_cancelled boolean NOT NULL DEFAULT false,
    ADD COLUMN ended text CHECK (ended IN ('proved', 'time', 'cancelled', 'broken')),
    ADD COLUMN stage text,
    ADD COLUMN seconds double precision,
    ADD COLUMN musts integer,
    ADD COLUMN musts_most integer,
    ADD COLUMN breaks integer,
    ADD COLUMN breaks_bound integer,
    ADD COLUMN table_changes integer,
    ADD COLUMN conflicts jsonb NOT NULL DEFAULT '[]';

-- Where a session is, if not at the stop's own place, and which of its slots have another length.
ALTER TABLE meeting_session
    ADD COLUMN venue text NOT NULL DEFAULT '',
    ADD COLUMN lengths jsonb NOT NULL DEFAULT '[]';

-- The company whose booth it is; and where it is, if not where its session is.
ALTER TABLE meeting_point
    ADD COLUMN organization_id uuid,
    ADD COLUMN venue text;

-- How long the way between two venues of a stop takes, whichever way one goes.
CREATE TABLE way (
    stop_id uuid NOT NULL REFERENCES stop,
    one     text NOT NULL,
    other   text NOT NULL,
    minutes integer NOT NULL CHECK (minutes > 0),
    PRIMARY KEY (stop_id, one, other),
    CHECK (one < other)
);

-- When somebody can have meetings, or an interpreter works; without a row always.
CREATE TABLE availability (
    stop_id     uuid NOT NULL REFERENCES stop,
    resource_id uuid NOT NULL,
    during      tstzrange NOT NULL CHECK (NOT isempty(during)),
    PRIMARY KEY (stop_id, resource_id, during)
);
CREATE INDEX availability_resource ON availability (resource_id);

-- The first of two meetings ends before the second begins, where both are held.
CREATE TABLE precedence (
    id                 uuid PRIMARY KEY,
    stop_id            uuid NOT NULL REFERENCES stop,
    first_delegate_id  uuid NOT NULL,
    first_local_id     uuid NOT NULL,
    second_delegate_id uuid NOT NULL,
    second_local_id    uuid NOT NULL,
    UNIQUE (stop_id, first_delegate_id, first_local_id, second_delegate_id, second_local_id)
);

-- How long interpreters speak at a stretch, and how long a pause ends one.
CREATE TABLE interpreters_rest (
    stop_id         uuid PRIMARY KEY REFERENCES stop,
    run_minutes_max integer NOT NULL CHECK (run_minutes_max > 0),
    rest_minutes    integer NOT NULL CHECK (rest_minutes > 0)
);
