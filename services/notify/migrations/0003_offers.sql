-- Who waited hears of a place that is held for him or her, and of one that went to the next.
ALTER TABLE message
    ADD COLUMN offered_until timestamptz,
    DROP CONSTRAINT message_kind_check,
    ADD CONSTRAINT message_kind_check CHECK (kind IN
        ('confirmed', 'waitlisted', 'pending', 'rejected', 'offered', 'offer_expired', 'sign_in', 'schedule',
         'application_drafted', 'application_submitted', 'application_info_requested',
         'application_selected', 'application_reserve_listed', 'application_rejected',
         'application_confirmed', 'application_lapsed'));
