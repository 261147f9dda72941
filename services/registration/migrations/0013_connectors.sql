-- Partners' own registration systems, each for one stop. What is read there, and how far.
CREATE TABLE connector (
    id            uuid PRIMARY KEY,
    mission_id    uuid NOT NULL REFERENCES mission,
    stop_id       uuid NOT NULL REFERENCES stop,
    partner_id    uuid NOT NULL REFERENCES partner_organization,
    kind          text NOT NULL,
    -- Where it is and what is read there; nothing secret.
    place         jsonb NOT NULL,
    -- Encrypted with a key of TRADEWIND_SECRET_KEY; NULL once it is disconnected.
    token         bytea,
    field_map     jsonb NOT NULL,
    pushes        text[] NOT NULL,
    revision      bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    paused_at     timestamptz,
    ended_at      timestamptz,
    -- How far was read; written in the transaction of what was made of it.
    cursor        jsonb NOT NULL DEFAULT '{}',
    next_at       timestamptz NOT NULL,
    -- Whoever works on it renews this; after a crash somebody else goes on.
    claimed_until timestamptz,
    synced_at     timestamptz,
    failures      integer NOT NULL DEFAULT 0,
    -- Why the last attempt ended early, as a code.
    error         text,
    CHECK (ended_at IS NOT NULL OR token IS NOT NULL)
);
CREATE INDEX connector_due ON connector (next_at) WHERE paused_at IS NULL AND ended_at IS NULL;
CREATE INDEX connector_partner ON connector (partner_id);
CREATE INDEX connector_stop ON connector (stop_id);

-- One registration there and what became of it here. No personal data: ids, digests and codes.
CREATE TABLE connector_link (
    connector_id    uuid NOT NULL REFERENCES connector,
    remote_id       text NOT NULL,
    -- By what it is asked for and written to there.
    handle          jsonb NOT NULL,
    registration_id uuid REFERENCES registration,
    -- Of the whole as it was last seen, and of its facts as they were last taken over.
    seen            bytea NOT NULL,
    facts           bytea,
    -- Of its facts as they were last seen: what is kept of ours says that these are known.
    facts_there     bytea,
    -- Ours when the facts were taken over: another one now means somebody edited here.
    revision        bigint,
    has_ended       boolean NOT NULL,
    has_arrived     boolean NOT NULL,
    -- Why the two differ, as a code, and in which fields.
    conflict        text,
    conflict_fields text[] NOT NULL DEFAULT '{}',
    conflict_at     timestamptz,
    -- To be read once more, whether or not it has changed there.
    is_due          boolean NOT NULL DEFAULT false,
    takes_theirs    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (connector_id, remote_id),
    -- Two there who are one here: the first of them stands for that person.
    UNIQUE (connector_id, registration_id)
);
CREATE INDEX connector_link_registration ON connector_link (registration_id);
CREATE INDEX connector_link_conflict ON connector_link (connector_id, conflict_at) WHERE conflict IS NOT NULL;
CREATE INDEX connector_link_due ON connector_link (connector_id) WHERE is_due;
CREATE INDEX connector_link_open ON connector_link (connector_id) WHERE NOT (has_arrived AND has_ended);
