-- A rush writes here for each registration: an index that nobody asks is work for nothing. An event's
-- id is unique by its making, and a row without a position is in the other index.
ALTER TABLE outbox DROP CONSTRAINT outbox_event_id_key, DROP CONSTRAINT outbox_position_key;
CREATE UNIQUE INDEX outbox_position ON outbox (position) WHERE position IS NOT NULL;
