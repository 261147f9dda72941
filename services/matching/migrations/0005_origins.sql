-- Whether the counterpart was recommended to whoever asked.
ALTER TABLE meeting_request ADD COLUMN is_recommended boolean NOT NULL DEFAULT false;
