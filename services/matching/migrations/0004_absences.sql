-- When a person, an interpreter or a point cannot be used, whatever the reason: it counts wherever
-- bookings count. Unlike those it may overlap a meeting, which staff then decides about.
CREATE TABLE absence (
    id          uuid PRIMARY KEY,
    stop_id     uuid NOT NULL REFERENCES stop,
    resource_id uuid NOT NULL,
    during      tstzrange NOT NULL CHECK (NOT isempty(during)),
    kind        text NOT NULL CHECK (kind IN ('late', 'leaves_early', 'unavailable', 'overrun')),
    noted_at    timestamptz NOT NULL
);
CREATE INDEX absence_resource ON absence (resource_id);
CREATE INDEX absence_stop ON absence (stop_id);

-- What disturbed a stop's day, and what is proposed: it blocks nothing until it is accepted.
CREATE TABLE repair (
    id          uuid PRIMARY KEY,
    stop_id     uuid NOT NULL REFERENCES stop,
    state       text NOT NULL CHECK (state IN ('open', 'accepted', 'rejected', 'stale')),
    happened    jsonb NOT NULL,
    proposal    jsonb NOT NULL,
    people      uuid[] NOT NULL,
    conflict    jsonb,
    taken       integer[] NOT NULL DEFAULT '{}',
    is_by_rule  boolean NOT NULL DEFAULT false,
    proposed_at timestamptz NOT NULL,
    proposed_by uuid NOT NULL,
    decided_at  timestamptz,
    decided_by  uuid,
    CHECK ((state = 'stale') = (conflict IS NOT NULL)),
    CHECK ((state = 'open') = (decided_at IS NULL))
);
CREATE INDEX repair_stop ON repair (stop_id, proposed_at DESC);

-- A repair that drops nothing and moves at most so many meetings is taken at once.
CREATE TABLE repair_rule (
    stop_id      uuid PRIMARY KEY REFERENCES stop,
    meetings_max integer NOT NULL CHECK (meetings_max >= 0)
);
