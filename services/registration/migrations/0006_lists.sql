-- Lists of registrations by time, of any state and of some.
CREATE INDEX registration_item_time ON registration (programme_item_id, registered_at, id);
CREATE INDEX registration_item_status ON registration (programme_item_id, status, registered_at, id);
-- What few have is found without looking at the many.
CREATE INDEX registration_partner ON registration (partner_id, registered_at, id) WHERE partner_id IS NOT NULL;
CREATE INDEX registration_arrived ON registration (programme_item_id, registered_at, id) WHERE checked_in_at IS NOT NULL;
CREATE INDEX registration_source ON registration (programme_item_id, source, registered_at, id) WHERE source <> 'self';
CREATE INDEX person_delegate ON person (mission_id) WHERE role = 'delegate';
-- Lists by name. Bytes compare the same on every server, and fastest.
CREATE INDEX person_by_name ON person (mission_id, (lower(coalesce(latin_name, full_name)) COLLATE "C"), id);
CREATE INDEX organization_by_name ON organization (mission_id, (lower(name) COLLATE "C"), id);
CREATE INDEX organization_country ON organization (mission_id, country);

-- One decision about many registrations. `principal` is who started it, as the session said then.
CREATE TABLE bulk_job (
    id            uuid PRIMARY KEY,
    mission_id    uuid NOT NULL REFERENCES mission,
    stop_id       uuid REFERENCES stop,
    decision      text NOT NULL CHECK (decision IN ('approve', 'reject', 'cancel')),
    principal     jsonb NOT NULL,
    started_at    timestamptz NOT NULL,
    -- Whoever works on it renews this; after a crash somebody else takes over.
    claimed_until timestamptz,
    finished_at   timestamptz
);
CREATE INDEX bulk_job_open ON bulk_job (started_at) WHERE finished_at IS NULL;

CREATE TABLE bulk_row (
    job_id          uuid NOT NULL REFERENCES bulk_job,
    place           integer NOT NULL,
    registration_id uuid NOT NULL REFERENCES registration,
    outcome         text CHECK (outcome IN ('done', 'refused')),
    -- Why it was refused, as a code.
    reason          text,
    PRIMARY KEY (job_id, place),
    UNIQUE (job_id, registration_id),
    CHECK ((outcome = 'refused') = (reason IS NOT NULL))
);
CREATE INDEX bulk_row_open ON bulk_row (job_id, place) WHERE outcome IS NULL;
CREATE INDEX bulk_row_registration ON bulk_row (registration_id);
