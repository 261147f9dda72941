-- What each side says of a meeting: every word stays, the last one counts.
CREATE TABLE meeting_report (
    id          uuid NOT NULL,
    revision    integer NOT NULL CHECK (revision > 0),
    meeting_id  uuid NOT NULL REFERENCES meeting,
    stop_id     uuid NOT NULL,
    mission_id  uuid NOT NULL,
    -- Whose word it is, whoever wrote it down.
    person_id   uuid NOT NULL,
    side        text NOT NULL CHECK (side IN ('delegation', 'local')),
    was_held    boolean NOT NULL,
    usefulness  smallint CHECK (usefulness BETWEEN 1 AND 5),
    next_step   text CHECK (next_step IN
        ('none', 'follow_up', 'sample_or_quote', 'meet_again', 'negotiate')),
    note        text,
    stated_by   uuid NOT NULL,
    stated_role text NOT NULL,
    stated_at   timestamptz NOT NULL,
    PRIMARY KEY (id, revision),
    UNIQUE (meeting_id, side, revision),
    CHECK (was_held OR num_nonnulls(usefulness, next_step) = 0)
);
CREATE INDEX meeting_report_stop ON meeting_report (stop_id);

-- What came of a mission: one row for each deal of two companies, whoever tells of it.
CREATE TABLE outcome (
    id                       uuid PRIMARY KEY,
    mission_id               uuid NOT NULL,
    stop_id                  uuid NOT NULL REFERENCES stop,
    meeting_id               uuid REFERENCES meeting,
    delegate_id              uuid NOT NULL,
    local_id                 uuid NOT NULL,
    delegate_organization_id uuid NOT NULL,
    local_organization_id    uuid NOT NULL,
    opened_at                timestamptz NOT NULL
);
CREATE INDEX outcome_mission ON outcome (mission_id, opened_at);
CREATE INDEX outcome_companies ON outcome
    (mission_id, delegate_organization_id, local_organization_id);

-- The ledger: what was said of a deal, by whom and when. The last word is where it stands.
CREATE TABLE outcome_statement (
    outcome_id  uuid NOT NULL REFERENCES outcome,
    revision    integer NOT NULL CHECK (revision > 0),
    act         text NOT NULL CHECK (act IN ('report', 'verify', 'dispute', 'retract')),
    kind        text NOT NULL CHECK (kind IN ('follow_up', 'sample_or_quote', 'nda', 'loi', 'mou',
        'pilot', 'distribution', 'contract', 'joint_venture', 'investment')),
    value       numeric(18, 2) CHECK (value >= 0),
    currency    text CHECK (currency ~ '^[A-Z]{3}$'),
    evidence    jsonb NOT NULL DEFAULT '[]',
    is_evidenced boolean NOT NULL,
    note        text,
    -- Whose word it is; none is the staff's own.
    side        text CHECK (side IN ('delegation', 'local')),
    stated_by   uuid NOT NULL,
    stated_role text NOT NULL,
    stated_at   timestamptz NOT NULL,
    PRIMARY KEY (outcome_id, revision),
    CHECK ((value IS NULL) = (currency IS NULL))
);

-- Only added to. What somebody wrote may be forgotten; that it was said, and by which id, may not.
CREATE FUNCTION refuse_to_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_one jsonb := to_jsonb(OLD);
    new_one jsonb := to_jsonb(NEW);
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('tradewind.ledger_ends', true) = 'yes' THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE'
        AND new_one - 'note' - 'evidence' = old_one - 'note' - 'evidence'
        AND new_one -> 'note' IN (old_one -> 'note', 'null')
        AND coalesce(new_one -> 'evidence', '[]') IN (coalesce(old_one -> 'evidence', '[]'), '[]')
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'What was said is only added to.' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER meeting_report_is_only_added_to BEFORE UPDATE OR DELETE ON meeting_report
    FOR EACH ROW EXECUTE FUNCTION refuse_to_rewrite();
CREATE TRIGGER outcome_statement_is_only_added_to BEFORE UPDATE OR DELETE ON outcome_statement
    FOR EACH ROW EXECUTE FUNCTION refuse_to_rewrite();
