-- Addresses that no mail reaches. Only while it is still this person's does it stand in the way.
CREATE TABLE suppression (
    person_id uuid PRIMARY KEY,
    -- HMAC of the address: the address itself is kept by registration alone.
    address   bytea NOT NULL,
    reason    text NOT NULL,
    since     timestamptz NOT NULL
);
