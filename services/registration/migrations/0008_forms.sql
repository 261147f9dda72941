-- What forms ask: each row is a question as it is asked today.
CREATE TABLE question (
    id                uuid PRIMARY KEY,
    mission_id        uuid NOT NULL REFERENCES mission,
    stop_id           uuid REFERENCES stop,
    programme_item_id uuid REFERENCES programme_item,
    code              text NOT NULL,
    place             integer NOT NULL,
    version           integer NOT NULL DEFAULT 1,
    definition        jsonb NOT NULL,
    retired_at        timestamptz,
    -- Of retired ones too: a code that meant two things would make old answers unreadable.
    UNIQUE (mission_id, code),
    CHECK (programme_item_id IS NULL OR stop_id IS NOT NULL)
);

-- As it was asked before, so that an answer is read beside the words it was given to.
CREATE TABLE question_version (
    question_id uuid NOT NULL REFERENCES question,
    version     integer NOT NULL,
    definition  jsonb NOT NULL,
    since       timestamptz NOT NULL,
    PRIMARY KEY (question_id, version)
);

ALTER TABLE registration
    -- Counts edits of what a person sees on the edit page, so that two tabs do not overwrite each other.
    ADD COLUMN revision    bigint NOT NULL DEFAULT 1,
    -- When the answers were last changed; NULL: since registered_at.
    ADD COLUMN answered_at timestamptz;

-- Who knows the id of a file may name it in an answer; who may read it is another question.
CREATE TABLE file (
    id          uuid PRIMARY KEY,
    mission_id  uuid NOT NULL REFERENCES mission,
    question_id uuid NOT NULL REFERENCES question,
    name        text NOT NULL,
    bytes       integer NOT NULL CHECK (bytes BETWEEN 1 AND 5242880),
    -- By its content; NULL until all of it is there.
    type        text,
    created_at  timestamptz NOT NULL,
    -- Whose answer names it; NULL: an orphan, unless a registration is just being made.
    person_id   uuid REFERENCES person
);
CREATE INDEX file_orphan ON file (mission_id, created_at) WHERE person_id IS NULL;
CREATE INDEX file_person ON file (person_id) WHERE person_id IS NOT NULL;

CREATE TABLE file_chunk (
    file_id uuid NOT NULL REFERENCES file ON DELETE CASCADE,
    number  smallint NOT NULL CHECK (number BETWEEN 0 AND 9),
    content bytea NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 524288),
    PRIMARY KEY (file_id, number)
);
-- What is sent is compressed already.
ALTER TABLE file_chunk ALTER COLUMN content SET STORAGE EXTERNAL;
