-- Who was erased, by id alone. A sign-in of theirs that is still out there opens nothing.
CREATE TABLE erased_person (
    person_id uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL
);
