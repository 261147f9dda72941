-- How often staff put meetings of a stop elsewhere or ended them on the day, by hand or by a repair.
-- A version knows how much of it there was when it was made: what came later is not undone by it.
ALTER TABLE stop ADD COLUMN interventions bigint NOT NULL DEFAULT 0;
-- The last one that a meeting had; none where it is as its version has it.
ALTER TABLE meeting ADD COLUMN intervention bigint;
ALTER TABLE schedule ADD COLUMN interventions bigint NOT NULL DEFAULT 0;
