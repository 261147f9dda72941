-- How a mission tells its people; times are of each stop's clock.
CREATE TABLE message_rules (
    mission_id     uuid PRIMARY KEY,
    channels       text[] NOT NULL,
    fallback       text[] NOT NULL,
    urgent_minutes integer NOT NULL CHECK (urgent_minutes BETWEEN 0 AND 10080),
    digest_at      time,
    quiet_from     time NOT NULL,
    quiet_until    time NOT NULL,
    revision       integer NOT NULL DEFAULT 1
);

-- How somebody wants to be told; NULL leaves it to the mission.
CREATE TABLE wish (
    person_id uuid PRIMARY KEY,
    channels  text[],
    language  text CHECK (language IN ('en', 'zh')),
    phone     text
);

ALTER TABLE notice ADD COLUMN is_urgent boolean NOT NULL DEFAULT false;
-- When the meeting began by what somebody was told: its change is as urgent as that.
ALTER TABLE told ADD COLUMN told_starts_at timestamptz;
