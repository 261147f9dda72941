-- Staff looked and sends a message again: attempts before that count no longer.
ALTER TABLE message ADD COLUMN retried_at timestamptz;
CREATE INDEX message_stop ON message (stop_id, id);
CREATE INDEX by_hand_open ON by_hand (message) WHERE told_at IS NULL;
