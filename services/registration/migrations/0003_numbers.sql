-- Companies that gave the same number in other words than as their identity.
CREATE INDEX organization_number ON organization (registration_number)
    WHERE registration_number IS NOT NULL;
