-- Who does not want to be shown to the other side. Nothing they list is used while this is so.
CREATE TABLE withheld (
    person_id   uuid PRIMARY KEY,
    is_withheld boolean NOT NULL,
    version     bigint NOT NULL
);
