-- Whether whoever met is asked what came of it, in the days and months after.
ALTER TABLE message_rules ADD COLUMN asks_for_results boolean NOT NULL DEFAULT true;

-- Until when nobody can be due anew in a wave, as somebody has looked.
CREATE TABLE wave_look (
    mission_id uuid NOT NULL,
    days       integer NOT NULL CHECK (days IN (0, 90, 180, 365)),
    -- The last day as it was known then: one that moves has its wave looked at anew.
    held_on    date NOT NULL,
    next_at    timestamptz NOT NULL,
    PRIMARY KEY (mission_id, days)
);
