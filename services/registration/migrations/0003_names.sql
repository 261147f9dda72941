-- A trusted extension: the owner of the database may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- What a person is found by: words, each of which begins with something that is typed. They are
-- indexed as lexemes, whose prefixes are found byte by byte: a trigram index needs three letters and
-- a locale that knows Chinese characters, and `张伟` and `zw` have two.
ALTER TABLE person ADD COLUMN search text NOT NULL DEFAULT '';
CREATE INDEX person_search ON person USING gin (array_to_tsvector(string_to_array(search, ' ')));
CREATE INDEX person_without_search ON person (id) WHERE search = '';

ALTER TABLE organization
    ADD COLUMN search      text NOT NULL DEFAULT '',
    -- What is left of the names when legal form and place are taken away, by sound and in plain
    -- letters, so that trigrams work in any locale.
    ADD COLUMN core        text NOT NULL DEFAULT '',
    -- The company this one turned out to be. It stays, and leads there whoever knows it by its
    -- number or name; never to one that was merged itself.
    ADD COLUMN merged_into uuid REFERENCES organization,
    ADD CONSTRAINT merged_into_another CHECK (merged_into <> id);
CREATE INDEX organization_search ON organization
    USING gin (array_to_tsvector(string_to_array(search, ' ')));
CREATE INDEX organization_without_search ON organization (id) WHERE search = '';
CREATE INDEX organization_core ON organization USING gin (core gin_trgm_ops);
CREATE INDEX organization_merged_into ON organization (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX person_organization ON person (organization_id);

-- Two companies became one: both as they were, and what the one that stayed became.
CREATE TABLE organization_merge (
    id          uuid PRIMARY KEY,
    mission_id  uuid NOT NULL REFERENCES mission,
    kept_id     uuid NOT NULL REFERENCES organization,
    gone_id     uuid NOT NULL REFERENCES organization,
    kept_before jsonb NOT NULL,
    gone_before jsonb NOT NULL,
    kept_after  jsonb NOT NULL,
    merged_by   uuid NOT NULL,
    merged_at   timestamptz NOT NULL,
    undone_by   uuid,
    undone_at   timestamptz,
    CHECK (kept_id <> gone_id),
    CHECK ((undone_by IS NULL) = (undone_at IS NULL))
);
CREATE UNIQUE INDEX organization_merge_in_force ON organization_merge (gone_id)
    WHERE undone_at IS NULL;
CREATE INDEX organization_merge_mission ON organization_merge (mission_id, merged_at);

-- The rows that a merge moved, by table and key: an undo moves these back and no others.
CREATE TABLE organization_move (
    merge_id   uuid NOT NULL REFERENCES organization_merge,
    table_name text NOT NULL,
    key        jsonb NOT NULL,
    PRIMARY KEY (merge_id, table_name, key)
);

-- Pairs that look alike and are two companies: somebody looked.
CREATE TABLE organization_distinct (
    first_id   uuid NOT NULL REFERENCES organization,
    second_id  uuid NOT NULL REFERENCES organization,
    decided_by uuid NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (first_id, second_id),
    CHECK (first_id < second_id)
);

-- Somebody may register for a company in the moment in which it is merged. The lock waits for that
-- merge, or makes it wait; afterwards nobody belongs to a company that is gone.
CREATE FUNCTION follow_merge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT coalesce(merged_into, id) INTO NEW.organization_id
    FROM organization WHERE id = NEW.organization_id FOR KEY SHARE;
    RETURN NEW;
END $$;
CREATE TRIGGER person_follows_merge BEFORE INSERT ON person
    FOR EACH ROW WHEN (NEW.organization_id IS NOT NULL) EXECUTE FUNCTION follow_merge();
