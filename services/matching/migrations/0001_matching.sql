CREATE EXTENSION IF NOT EXISTS btree_gist;

-- Facts of others, read from events; `version` is the sequence of the last event applied.
CREATE TABLE mission (
    id      uuid PRIMARY KEY,
    title   jsonb NOT NULL,
    sectors jsonb NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE stop (
    id         uuid PRIMARY KEY,
    mission_id uuid NOT NULL,
    slug       text NOT NULL,
    city       jsonb NOT NULL,
    title      jsonb NOT NULL,
    timezone   text NOT NULL,
    held_on    date NOT NULL,
    version    bigint NOT NULL
);

CREATE TABLE programme_item (
    id         uuid PRIMARY KEY,
    stop_id    uuid NOT NULL,
    mission_id uuid NOT NULL,
    kind       text NOT NULL,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    version    bigint NOT NULL
);

CREATE TABLE participant (
    id                  uuid PRIMARY KEY,
    mission_id          uuid NOT NULL,
    side                text NOT NULL CHECK (side IN ('delegation', 'local')),
    organization_id     uuid NOT NULL,
    organization        text NOT NULL,
    native_organization text,
    sectors             text[] NOT NULL,
    languages           text[] NOT NULL,
    listings            jsonb NOT NULL,
    partner_id          uuid,
    version             bigint NOT NULL
);

CREATE TABLE participation (
    participant_id    uuid NOT NULL,
    programme_item_id uuid NOT NULL,
    stop_id           uuid NOT NULL,
    is_confirmed      boolean NOT NULL,
    checked_in_at     timestamptz,
    version           bigint NOT NULL,
    PRIMARY KEY (participant_id, programme_item_id)
);
CREATE INDEX participation_stop ON participation (stop_id) WHERE is_confirmed;

CREATE TABLE interpreter (
    id         uuid PRIMARY KEY,
    mission_id uuid NOT NULL,
    languages  text[] NOT NULL,
    stop_ids   uuid[] NOT NULL,
    version    bigint NOT NULL
);

-- Where and when meetings can be.
CREATE TABLE meeting_session (
    id                uuid PRIMARY KEY,
    stop_id           uuid NOT NULL REFERENCES stop,
    programme_item_id uuid NOT NULL REFERENCES programme_item,
    slug              text NOT NULL,
    starts_at         timestamptz NOT NULL,
    slot_minutes      integer NOT NULL CHECK (slot_minutes > 0),
    slots             integer NOT NULL CHECK (slots > 0),
    breaks            jsonb NOT NULL,
    UNIQUE (stop_id, slug)
);

CREATE TABLE meeting_point (
    id          uuid PRIMARY KEY,
    stop_id     uuid NOT NULL REFERENCES stop,
    label       text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('table', 'booth', 'offsite')),
    closed_from timestamptz,
    UNIQUE (stop_id, label)
);

CREATE TABLE session_point (
    session_id uuid NOT NULL REFERENCES meeting_session,
    point_id   uuid NOT NULL REFERENCES meeting_point,
    place      smallint NOT NULL,
    PRIMARY KEY (session_id, point_id)
);

-- What people want. Private: one side never learns what the other stated.
CREATE TABLE preference (
    stop_id        uuid NOT NULL,
    participant_id uuid NOT NULL,
    counterpart_id uuid NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('must_meet', 'meet', 'no_thanks')),
    stated_at      timestamptz NOT NULL,
    PRIMARY KEY (stop_id, participant_id, counterpart_id)
);

CREATE TABLE meeting_request (
    id             uuid PRIMARY KEY,
    stop_id        uuid NOT NULL,
    participant_id uuid NOT NULL,
    counterpart_id uuid NOT NULL,
    message        text,
    status         text NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'cancelled')),
    requested_at   timestamptz NOT NULL,
    answered_at    timestamptz
);
CREATE UNIQUE INDEX meeting_request_open ON meeting_request
    (stop_id, least(participant_id, counterpart_id), greatest(participant_id, counterpart_id))
    WHERE status IN ('pending', 'accepted');
CREATE INDEX meeting_request_participant ON meeting_request (participant_id, stop_id);
CREATE INDEX meeting_request_counterpart ON meeting_request (counterpart_id, stop_id);

-- Versions. Until it is published a schedule is a proposal and blocks nothing.
CREATE TABLE schedule (
    id            uuid PRIMARY KEY,
    stop_id       uuid NOT NULL REFERENCES stop,
    number        integer,
    state         text NOT NULL CHECK (state IN ('draft', 'provisional', 'published', 'superseded')),
    progress      text NOT NULL CHECK (progress IN ('queued', 'running', 'done', 'failed')),
    reason        text,
    seconds_max   integer NOT NULL,
    requested_at  timestamptz NOT NULL,
    entries       jsonb NOT NULL DEFAULT '[]',
    unmet         jsonb NOT NULL DEFAULT '[]',
    objective     bigint,
    bound         bigint,
    is_optimal    boolean,
    meetings      integer NOT NULL DEFAULT 0,
    changed       integer NOT NULL DEFAULT 0,
    published_at  timestamptz,
    UNIQUE (stop_id, number),
    CHECK ((number IS NOT NULL) = (state IN ('published', 'superseded')))
);
CREATE UNIQUE INDEX schedule_in_force ON schedule (stop_id) WHERE state = 'published';
CREATE INDEX schedule_to_solve ON schedule (requested_at) WHERE progress IN ('queued', 'running');

CREATE TABLE meeting (
    id                 uuid PRIMARY KEY,
    stop_id            uuid NOT NULL REFERENCES stop,
    mission_id         uuid NOT NULL,
    session_id         uuid NOT NULL REFERENCES meeting_session,
    delegate_id        uuid NOT NULL REFERENCES participant,
    local_id           uuid NOT NULL REFERENCES participant,
    point_id           uuid NOT NULL REFERENCES meeting_point,
    interpreter_id     uuid REFERENCES interpreter,
    interpreter_needed boolean NOT NULL,
    starts_at          timestamptz NOT NULL,
    ends_at            timestamptz NOT NULL,
    state              text NOT NULL CHECK (state IN
        ('scheduled', 'called', 'in_progress', 'completed', 'no_show', 'cancelled')),
    revision           bigint NOT NULL,
    delay_minutes      integer NOT NULL DEFAULT 0 CHECK (delay_minutes >= 0),
    delegate_attendance text NOT NULL DEFAULT 'unknown',
    local_attendance   text NOT NULL DEFAULT 'unknown',
    locked             boolean NOT NULL DEFAULT false,
    schedule_number    integer NOT NULL,
    started_at         timestamptz,
    finished_at        timestamptz,
    CHECK (ends_at > starts_at)
);
CREATE INDEX meeting_stop ON meeting (stop_id, starts_at);
CREATE INDEX meeting_delegate ON meeting (delegate_id);
CREATE INDEX meeting_local ON meeting (local_id);
-- The same two meet once in a mission.
CREATE UNIQUE INDEX meeting_pair ON meeting (delegate_id, local_id) WHERE state <> 'cancelled';

-- Whom and what a meeting holds, and when: people, its point, its interpreter. The wall against
-- being in two places; deferred, so that a whole schedule is swapped in one transaction.
CREATE TABLE booking (
    meeting_id  uuid NOT NULL REFERENCES meeting,
    resource_id uuid NOT NULL,
    during      tstzrange NOT NULL,
    PRIMARY KEY (meeting_id, resource_id),
    CONSTRAINT nobody_in_two_places EXCLUDE USING gist (resource_id WITH =, during WITH &&)
        DEFERRABLE INITIALLY DEFERRED
);
