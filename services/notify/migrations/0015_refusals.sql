-- Answers to a delivery that will be the same next time; those of the present round of attempts.
ALTER TABLE webhook_delivery ADD COLUMN refusals integer NOT NULL DEFAULT 0;

-- At which stops; NULL: registration told it before this was kept, and it may be any.
ALTER TABLE partner_staff ADD COLUMN stop_ids uuid[];
