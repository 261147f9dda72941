-- What a mission's staff publishes before companies apply; one row a mission. Whoever decides about
-- an application locks it: places and the order of the reserve list are one decision at a time.
CREATE TABLE call (
    mission_id       uuid PRIMARY KEY REFERENCES mission,
    statement        jsonb NOT NULL,
    fee              jsonb,
    -- Asked of every company: code, text in two languages, whether an answer is needed.
    questions        jsonb NOT NULL,
    timezone         text NOT NULL,
    opens_at         timestamptz NOT NULL,
    closes_at        timestamptz NOT NULL,
    decide_on        date NOT NULL,
    participants_min integer NOT NULL CHECK (participants_min >= 1),
    participants_max integer NOT NULL,
    days_to_confirm  integer NOT NULL CHECK (days_to_confirm BETWEEN 1 AND 90),
    revision         bigint NOT NULL DEFAULT 1,
    CHECK (closes_at > opens_at),
    CHECK (participants_max >= participants_min)
);

CREATE TABLE criterion (
    id         uuid PRIMARY KEY,
    mission_id uuid NOT NULL REFERENCES call,
    title      jsonb NOT NULL,
    weight     smallint NOT NULL CHECK (weight BETWEEN 1 AND 100),
    place      smallint NOT NULL,
    UNIQUE (mission_id, place)
);

-- What a company certifies. A changed text is another row: what was signed stays readable.
CREATE TABLE certification (
    mission_id   uuid NOT NULL REFERENCES mission,
    code         text NOT NULL CHECK (code IN
        ('home_content', 'export_control', 'anti_bribery', 'litigation')),
    version      integer NOT NULL CHECK (version >= 1),
    content      jsonb NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (mission_id, code, version)
);

CREATE TABLE application (
    id              uuid PRIMARY KEY,
    mission_id      uuid NOT NULL REFERENCES call,
    contact_id      uuid NOT NULL UNIQUE REFERENCES person,
    -- Known from the first submission on.
    organization_id uuid REFERENCES organization,
    status          text NOT NULL DEFAULT 'draft' CHECK (status IN
        ('draft', 'submitted', 'in_review', 'info_requested', 'selected', 'reserve_listed',
         'rejected', 'confirmed', 'declined', 'lapsed', 'withdrawn')),
    -- Company, objectives by stop, answers by question; what is known of people is in `person`.
    content         jsonb NOT NULL,
    language        text NOT NULL CHECK (language IN ('en', 'zh')),
    revision        bigint NOT NULL DEFAULT 1,
    reserve_place   integer,
    confirm_by      timestamptz,
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    submitted_at    timestamptz,
    CHECK ((status = 'reserve_listed') = (reserve_place IS NOT NULL)),
    CHECK ((status = 'selected') = (confirm_by IS NOT NULL)),
    CHECK (status IN ('draft', 'withdrawn') OR organization_id IS NOT NULL)
);
CREATE INDEX application_mission ON application (mission_id, status);
CREATE INDEX application_due ON application (confirm_by) WHERE status = 'selected';
CREATE UNIQUE INDEX application_reserve ON application (mission_id, reserve_place)
    WHERE status = 'reserve_listed';
-- Two people may apply for one company; it travels once.
CREATE UNIQUE INDEX application_company ON application (organization_id)
    WHERE status IN ('selected', 'confirmed');

CREATE TABLE attestation (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES application ON DELETE CASCADE,
    mission_id     uuid NOT NULL,
    code           text NOT NULL,
    version        integer NOT NULL,
    -- The language it was read in.
    language       text NOT NULL CHECK (language IN ('en', 'zh')),
    signer_name    text NOT NULL,
    signer_title   text NOT NULL,
    disclosure     text,
    signed_at      timestamptz NOT NULL,
    FOREIGN KEY (mission_id, code, version) REFERENCES certification
);
CREATE INDEX attestation_application ON attestation (application_id);

CREATE FUNCTION never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a row of % is never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION gone_with_its_application() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM application WHERE id = OLD.application_id) THEN
        RAISE EXCEPTION 'a row of % goes with its application alone', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER attestation_changed BEFORE UPDATE ON attestation
    FOR EACH ROW EXECUTE FUNCTION never_changed();
CREATE TRIGGER attestation_deleted BEFORE DELETE ON attestation
    FOR EACH ROW EXECUTE FUNCTION gone_with_its_application();
CREATE TRIGGER certification_changed BEFORE UPDATE ON certification
    FOR EACH ROW EXECUTE FUNCTION never_changed();

-- Every change of state, by whom, and what one side wrote to the other with it.
CREATE TABLE application_step (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES application ON DELETE CASCADE,
    action         text NOT NULL,
    status         text NOT NULL,
    actor          text NOT NULL CHECK (actor IN ('applicant', 'staff', 'clock')),
    actor_id       uuid,
    message        text,
    taken_at       timestamptz NOT NULL
);
CREATE INDEX application_step_application ON application_step (application_id, id);

-- A reviewer is a member of mission staff: one who came by the operator's link is no person.
CREATE TABLE review (
    application_id uuid NOT NULL REFERENCES application ON DELETE CASCADE,
    reviewer_id    uuid NOT NULL,
    is_abstention  boolean NOT NULL,
    given_at       timestamptz NOT NULL,
    revised_at     timestamptz,
    PRIMARY KEY (application_id, reviewer_id)
);

CREATE TABLE score (
    application_id uuid NOT NULL,
    reviewer_id    uuid NOT NULL,
    criterion_id   uuid NOT NULL REFERENCES criterion,
    score          smallint NOT NULL CHECK (score BETWEEN 1 AND 5),
    -- As it was given before the others' could be seen.
    first_score    smallint NOT NULL CHECK (first_score BETWEEN 1 AND 5),
    comment        text NOT NULL,
    PRIMARY KEY (application_id, reviewer_id, criterion_id),
    FOREIGN KEY (application_id, reviewer_id) REFERENCES review ON DELETE CASCADE
);

CREATE TABLE letter (
    id             uuid PRIMARY KEY,
    number         text NOT NULL UNIQUE,
    application_id uuid NOT NULL REFERENCES application ON DELETE CASCADE,
    mission_id     uuid NOT NULL REFERENCES mission,
    serial         integer NOT NULL,
    -- All that it says, as it was when it was issued.
    content        jsonb NOT NULL,
    valid_until    date NOT NULL,
    issued_at      timestamptz NOT NULL,
    issued_by      uuid NOT NULL,
    revoked_at     timestamptz,
    UNIQUE (mission_id, serial)
);
CREATE INDEX letter_application ON letter (application_id);
