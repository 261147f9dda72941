-- What people are asked to agree to: a text for each purpose. A changed text is a new version.
CREATE TABLE consent_text (
    mission_id      uuid NOT NULL REFERENCES mission,
    purpose         text NOT NULL,
    version         text NOT NULL,
    number          integer NOT NULL,
    -- Title, text, recipients, and for data that leave the country: method, categories, rights.
    content         jsonb NOT NULL,
    is_required     boolean NOT NULL,
    is_cross_border boolean NOT NULL,
    in_force_since  timestamptz NOT NULL,
    PRIMARY KEY (mission_id, purpose, version),
    UNIQUE (mission_id, purpose, number),
    -- Separate and unbundled: nobody has to agree to it in order to take part (PIPL, article 39).
    CHECK (NOT (is_required AND is_cross_border))
);

-- One person may agree, take it back, and agree again: each is a row of its own.
ALTER TABLE consent
    DROP CONSTRAINT consent_pkey,
    ADD COLUMN id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ADD COLUMN is_cross_border boolean NOT NULL DEFAULT false,
    ADD COLUMN withdrawn_at    timestamptz,
    ADD CONSTRAINT withdrawn_after_granted CHECK (withdrawn_at >= granted_at);
CREATE UNIQUE INDEX consent_in_force ON consent (person_id, purpose, text_version) WHERE withdrawn_at IS NULL;
CREATE INDEX consent_person ON consent (person_id);

CREATE FUNCTION refuse_to_change_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'consent' THEN
        IF OLD.withdrawn_at IS NULL AND to_jsonb(OLD) - 'withdrawn_at' = to_jsonb(NEW) - 'withdrawn_at' THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'What was agreed to stays as it was: a consent is withdrawn, a text gets a new version.'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER consent_stays BEFORE UPDATE ON consent
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_consent();
CREATE TRIGGER consent_text_stays BEFORE UPDATE ON consent_text
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_consent();

CREATE TABLE privacy_setting (
    mission_id         uuid PRIMARY KEY REFERENCES mission,
    -- `consent`: nothing crosses the border of those who did not agree. `other`: unless they refused.
    cross_border_basis text NOT NULL CHECK (cross_border_basis IN ('consent', 'other')),
    -- Days by the code of a rule, where they differ from what is usual.
    retention          jsonb NOT NULL
);

-- The person stays as an id: what happened is counted, by whom is not known any more.
ALTER TABLE person ADD COLUMN erased_at timestamptz;

-- Whose data were to be seen abroad in a year. It only grows: erasing somebody does not undo it.
CREATE TABLE border_export (
    year      smallint NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (year, person_id)
);

-- When each rule was last carried out in a mission, and on how many rows in all.
CREATE TABLE retention_run (
    mission_id uuid NOT NULL REFERENCES mission,
    rule       text NOT NULL,
    swept_at   timestamptz NOT NULL,
    rows       bigint NOT NULL,
    PRIMARY KEY (mission_id, rule)
);
