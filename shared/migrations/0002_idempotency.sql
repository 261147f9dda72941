-- One row for each request that was made with an Idempotency-Key, with the answer it was given.
CREATE TABLE idempotency (
    scope       text NOT NULL,
    key         text NOT NULL,
    digest      bytea NOT NULL,
    status      smallint NOT NULL,
    answer      jsonb NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_answered_at ON idempotency (answered_at);
