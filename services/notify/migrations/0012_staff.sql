-- Who works for which partner, as registration told: all of them hear of its webhooks' troubles.
CREATE TABLE partner_staff (
    person_id  uuid PRIMARY KEY,
    partner_id uuid NOT NULL,
    version    bigint NOT NULL
);
CREATE INDEX partner_staff_partner ON partner_staff (partner_id);
