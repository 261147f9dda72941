-- A code says nothing about its person. A lost one stays on file, so that the door knows it when it comes.
CREATE TABLE badge (
    id              uuid PRIMARY KEY,
    person_id       uuid NOT NULL REFERENCES person,
    code            text NOT NULL UNIQUE,
    -- What phones at the door keep instead of the code.
    digest          bytea NOT NULL UNIQUE,
    issued_at       timestamptz NOT NULL,
    revoked_at      timestamptz,
    revoked_because text CHECK (revoked_because IN ('replaced', 'erased')),
    CHECK ((revoked_at IS NULL) = (revoked_because IS NULL))
);
CREATE UNIQUE INDEX badge_valid ON badge (person_id) WHERE revoked_at IS NULL;
CREATE INDEX badge_person ON badge (person_id);

-- What was shown at the door and what it was answered; a fact is never changed.
CREATE TABLE scan (
    stop_id         uuid NOT NULL REFERENCES stop,
    nonce           uuid NOT NULL,
    -- Of what was asked: a nonce stands for one question. The text itself may be anybody's QR code.
    asked           bytea NOT NULL,
    person_id       uuid REFERENCES person,
    badge_id        uuid REFERENCES badge,
    registration_id uuid REFERENCES registration,
    -- No reference: the operator is nobody on file.
    scanned_by      uuid NOT NULL,
    scanned_at      timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    outcome         text NOT NULL CHECK (outcome IN ('accepted', 'already', 'refused')),
    reason          text,
    -- As it was answered: a later, earlier scan moves the registration's own.
    checked_in_at   timestamptz,
    PRIMARY KEY (stop_id, nonce),
    CHECK ((outcome = 'refused') = (reason IS NOT NULL)),
    CHECK ((outcome = 'refused') = (checked_in_at IS NULL))
);
CREATE INDEX scan_refused ON scan (stop_id, reason) WHERE outcome = 'refused';
CREATE INDEX scan_person ON scan (person_id);
CREATE INDEX scan_registration ON scan (registration_id);
