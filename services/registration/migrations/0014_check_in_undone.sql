-- When a check-in was last taken back: what was scanned up to then checks nobody in any more, however late it comes.
ALTER TABLE registration ADD COLUMN check_in_undone_at timestamptz;
