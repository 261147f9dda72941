-- Partners' facts are changed on a revision, and their logos are kept as they were checked.
ALTER TABLE partner_organization ADD COLUMN version bigint NOT NULL DEFAULT 1;

CREATE TABLE partner_logo (
    partner_id uuid PRIMARY KEY REFERENCES partner_organization,
    content    bytea NOT NULL CHECK (length(content) <= 200000),
    digest     text NOT NULL,
    width      integer NOT NULL,
    height     integer NOT NULL
);
