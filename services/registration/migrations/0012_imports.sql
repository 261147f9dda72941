-- What the columns and values of a partner's lists mean; each list that is understood teaches more.
CREATE TABLE import_map (
    partner_id uuid PRIMARY KEY REFERENCES partner_organization,
    content    jsonb NOT NULL,
    updated_at timestamptz NOT NULL
);

-- A list that a partner sent for one programme item. `principal` is who sent it, as the session said.
CREATE TABLE import_list (
    id                uuid PRIMARY KEY,
    mission_id        uuid NOT NULL REFERENCES mission,
    stop_id           uuid NOT NULL REFERENCES stop,
    programme_item_id uuid NOT NULL REFERENCES programme_item,
    partner_id        uuid NOT NULL REFERENCES partner_organization,
    side              text NOT NULL CHECK (side IN ('delegation', 'local')),
    name              text NOT NULL,
    kind              text NOT NULL CHECK (kind IN ('csv', 'xlsx', 'ndjson')),
    -- How the file was understood: encoding, separator, sheet.
    about             jsonb NOT NULL,
    headers           text[] NOT NULL,
    -- By place in `headers`: the field that the column fills, or nothing.
    placed            text[] NOT NULL,
    fixed             jsonb NOT NULL,
    meant             jsonb NOT NULL,
    -- The last row that was checked.
    checked_to        integer NOT NULL DEFAULT 0,
    principal         jsonb NOT NULL,
    state             text NOT NULL CHECK (state IN
        ('columns', 'checking', 'checked', 'applying', 'finished', 'cancelled')),
    -- What is applied as soon as it is checked, by kind: of what nobody looked at, new people alone.
    applies           text[] NOT NULL,
    total             integer NOT NULL,
    started_at        timestamptz NOT NULL,
    checked_at        timestamptz,
    finished_at       timestamptz,
    -- When what its rows said was forgotten; what became of them stays.
    emptied_at        timestamptz,
    -- Whoever works on it renews this; after a crash somebody else takes over.
    claimed_until     timestamptz
);
CREATE INDEX import_list_open ON import_list (started_at) WHERE state IN ('checking', 'applying');
CREATE INDEX import_list_partner ON import_list (partner_id, started_at);
CREATE INDEX import_list_full ON import_list (started_at) WHERE emptied_at IS NULL;

CREATE TABLE import_row (
    import_id       uuid NOT NULL REFERENCES import_list,
    -- As the spreadsheet numbers it; who is gone from the list comes behind its end.
    row             integer NOT NULL,
    cells           text[] NOT NULL,
    -- By column: what was wrong with a cell when it was read.
    marks           jsonb NOT NULL,
    fields          jsonb,
    -- What makes it the same row in the next list: the partner's reference, or else the address.
    ref             text,
    address         text,
    kind            text CHECK (kind IN
        ('invalid', 'new', 'same', 'changed', 'conflicting', 'gone', 'known')),
    findings        jsonb NOT NULL DEFAULT '[]',
    -- Field by field who changed it, and what is on file here.
    differences     jsonb NOT NULL DEFAULT '{}',
    ours            jsonb NOT NULL DEFAULT '{}',
    is_chosen       boolean NOT NULL DEFAULT false,
    -- What became of it.
    status          text,
    code            text,
    pointer         text,
    registration_id uuid REFERENCES registration,
    person_id       uuid REFERENCES person,
    PRIMARY KEY (import_id, row)
);
CREATE INDEX import_row_address ON import_row (import_id, address) WHERE address IS NOT NULL;
CREATE INDEX import_row_ref ON import_row (import_id, ref) WHERE ref IS NOT NULL;
CREATE INDEX import_row_open ON import_row (import_id, row) WHERE is_chosen AND status IS NULL;
CREATE INDEX import_row_person ON import_row (person_id) WHERE person_id IS NOT NULL;

-- A partner's list of an item as it was applied last, row by row: what the next one is compared with.
CREATE TABLE hosted_row (
    partner_id        uuid NOT NULL REFERENCES partner_organization,
    programme_item_id uuid NOT NULL REFERENCES programme_item,
    ref               text NOT NULL,
    fields            jsonb NOT NULL,
    registration_id   uuid NOT NULL REFERENCES registration,
    person_id         uuid NOT NULL REFERENCES person,
    import_id         uuid NOT NULL REFERENCES import_list,
    PRIMARY KEY (partner_id, programme_item_id, ref)
);
CREATE INDEX hosted_row_person ON hosted_row (person_id);
