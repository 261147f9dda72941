-- Revisions of what staff sets for a stop, of each part alone: a change is made on the one that was
-- seen. They come from one sequence and never come back, so that where nothing is set, which has
-- no row and is revision 0, nothing need be remembered.
CREATE SEQUENCE rule_revision AS integer;

ALTER TABLE way ADD COLUMN revision integer NOT NULL DEFAULT nextval('rule_revision');
ALTER TABLE availability ADD COLUMN revision integer NOT NULL DEFAULT nextval('rule_revision');
ALTER TABLE interpreters_rest ADD COLUMN revision integer NOT NULL DEFAULT nextval('rule_revision');
ALTER TABLE quota ADD COLUMN revision integer NOT NULL DEFAULT nextval('rule_revision');
ALTER TABLE personal_quota ADD COLUMN revision integer NOT NULL DEFAULT nextval('rule_revision');
