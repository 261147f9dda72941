-- Seats kept for a partner's invitees, or (without a partner) for walk-ins at the door.
CREATE TABLE allotment (
    id                uuid PRIMARY KEY,
    programme_item_id uuid NOT NULL REFERENCES programme_item,
    partner_id        uuid REFERENCES partner_organization,
    seats             integer NOT NULL CHECK (seats >= 0),
    taken             integer NOT NULL DEFAULT 0,
    releases_at       timestamptz,
    released_at       timestamptz,
    UNIQUE NULLS NOT DISTINCT (programme_item_id, partner_id),
    CHECK (taken BETWEEN 0 AND seats)
);
CREATE INDEX allotment_releases_at ON allotment (releases_at) WHERE released_at IS NULL;

ALTER TABLE programme_item
    -- Seats of allotments that are neither taken nor released: nobody else may have them.
    ADD COLUMN reserved     integer NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    ADD COLUMN opens_at     timestamptz,
    ADD COLUMN closes_at    timestamptz,
    -- How long a place that waits for approval is held, and how long an offered one; NULL: no end, and no offers.
    ADD COLUMN hold_seconds  integer CHECK (hold_seconds > 0),
    ADD COLUMN offer_seconds integer CHECK (offer_seconds > 0),
    ADD CONSTRAINT never_oversold CHECK (taken + reserved <= capacity),
    ADD CONSTRAINT closes_after_it_opens CHECK (closes_at > opens_at);

ALTER TABLE registration
    DROP CONSTRAINT registration_status_check,
    ADD CONSTRAINT registration_status_check CHECK (status IN
        ('pending_approval', 'confirmed', 'waitlisted', 'offered', 'offer_expired', 'rejected', 'cancelled')),
    ADD COLUMN allotment_id uuid REFERENCES allotment,
    -- Those of one company who come together or not at all.
    ADD COLUMN group_id     uuid,
    ADD COLUMN hold_until   timestamptz,
    ADD COLUMN answers      jsonb NOT NULL DEFAULT '{}';
CREATE INDEX registration_hold_until ON registration (hold_until) WHERE hold_until IS NOT NULL;
CREATE INDEX registration_group ON registration (group_id) WHERE group_id IS NOT NULL;
