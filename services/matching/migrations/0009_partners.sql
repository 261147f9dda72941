-- Whom a partner brought is asked for by the partner.
CREATE INDEX participant_partner ON participant (partner_id) WHERE partner_id IS NOT NULL;
