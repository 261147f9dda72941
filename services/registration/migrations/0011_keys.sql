-- Keys of partners' systems. Of the secret there is a digest alone.
CREATE TABLE api_key (
    id           uuid PRIMARY KEY,
    partner_id   uuid NOT NULL REFERENCES partner_organization,
    name         text NOT NULL,
    digest       bytea NOT NULL CHECK (length(digest) = 32),
    scopes       text[] NOT NULL CHECK (scopes <> '{}'),
    -- Null: every stop where the partner has a role.
    stop_ids     uuid[],
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_key_partner ON api_key (partner_id, created_at);
