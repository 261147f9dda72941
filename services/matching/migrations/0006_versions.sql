-- A provisional version can be edited by hand: what was placed there is locked in its entries, and
-- `left_out` holds the pairs that staff took out, which later versions leave out too.
ALTER TABLE schedule
    ADD COLUMN revision bigint NOT NULL DEFAULT 1,
    ADD COLUMN left_out jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN reviewed_at timestamptz,
    ADD COLUMN reviewed_by uuid;

-- Who changed which meeting of a version, one row for each revision after the first.
CREATE TABLE schedule_edit (
    schedule_id uuid NOT NULL REFERENCES schedule,
    revision    bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('add', 'move', 'remove', 'lock', 'unlock')),
    delegate_id uuid NOT NULL,
    local_id    uuid NOT NULL,
    edited_by   uuid NOT NULL,
    edited_role text NOT NULL,
    edited_at   timestamptz NOT NULL,
    PRIMARY KEY (schedule_id, revision)
);
