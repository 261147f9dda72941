-- The partners that host a stop, as its lead or as a co-host: they may veto pairs there.
ALTER TABLE stop ADD COLUMN hosts uuid[] NOT NULL DEFAULT '{}';

-- Who stated it: the person, or staff for one who never signs in. Unknown where it is older.
ALTER TABLE preference
    ADD COLUMN again boolean NOT NULL DEFAULT false,
    ADD COLUMN stated_by uuid,
    ADD COLUMN stated_role text;

-- A wish for a company is one for anybody who represents it.
CREATE TABLE company_preference (
    stop_id         uuid NOT NULL,
    participant_id  uuid NOT NULL,
    organization_id uuid NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('must_meet', 'meet', 'no_thanks')),
    stated_at       timestamptz NOT NULL,
    stated_by       uuid NOT NULL,
    stated_role     text NOT NULL,
    PRIMARY KEY (stop_id, participant_id, organization_id)
);

-- What is pending now has seven days from here on.
ALTER TABLE meeting_request
    DROP CONSTRAINT meeting_request_status_check,
    ADD CONSTRAINT meeting_request_status_check CHECK (status IN
        ('pending', 'accepted', 'declined', 'cancelled', 'expired', 'superseded')),
    ADD COLUMN revision bigint NOT NULL DEFAULT 1,
    ADD COLUMN reply text,
    ADD COLUMN expires_at timestamptz NOT NULL DEFAULT now() + interval '7 days',
    ADD COLUMN asked_by uuid,
    ADD COLUMN asked_role text,
    ADD COLUMN answered_by uuid,
    ADD COLUMN answered_role text;
CREATE INDEX meeting_request_pending ON meeting_request (expires_at) WHERE status = 'pending';

-- How many meetings each of a side has at least, as far as that is possible, and at most.
CREATE TABLE quota (
    stop_id uuid NOT NULL REFERENCES stop,
    side    text NOT NULL CHECK (side IN ('delegation', 'local')),
    minimum integer NOT NULL CHECK (minimum >= 0),
    maximum integer,
    PRIMARY KEY (stop_id, side),
    CHECK (maximum >= minimum)
);

-- What is empty here is as it is for the side.
CREATE TABLE personal_quota (
    stop_id        uuid NOT NULL REFERENCES stop,
    participant_id uuid NOT NULL,
    minimum        integer CHECK (minimum >= 0),
    maximum        integer CHECK (maximum >= 0),
    PRIMARY KEY (stop_id, participant_id)
);

-- Two companies, or two people, whom the organiser keeps apart: at a stop, or the whole mission.
CREATE TABLE exclusion (
    id          uuid PRIMARY KEY,
    mission_id  uuid NOT NULL,
    stop_id     uuid REFERENCES stop,
    kind        text NOT NULL CHECK (kind IN ('companies', 'people')),
    one_id      uuid NOT NULL,
    other_id    uuid NOT NULL,
    reason      text NOT NULL,
    stated_by   uuid NOT NULL,
    stated_role text NOT NULL,
    stated_at   timestamptz NOT NULL,
    lifted_by   uuid,
    lifted_at   timestamptz
);
CREATE UNIQUE INDEX exclusion_in_force ON exclusion
    (mission_id, coalesce(stop_id, mission_id), least(one_id, other_id), greatest(one_id, other_id))
    WHERE lifted_at IS NULL;

-- Two people whom a host of the stop does not want to meet there.
CREATE TABLE veto (
    id          uuid PRIMARY KEY,
    stop_id     uuid NOT NULL REFERENCES stop,
    one_id      uuid NOT NULL,
    other_id    uuid NOT NULL,
    partner_id  uuid NOT NULL,
    reason      text NOT NULL,
    stated_by   uuid NOT NULL,
    stated_role text NOT NULL,
    stated_at   timestamptz NOT NULL,
    lifted_by   uuid,
    lifted_at   timestamptz
);
CREATE UNIQUE INDEX veto_in_force ON veto
    (stop_id, least(one_id, other_id), greatest(one_id, other_id)) WHERE lifted_at IS NULL;
