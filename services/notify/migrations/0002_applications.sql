-- Companies that apply are written to as well.
ALTER TABLE message
    DROP CONSTRAINT message_kind_check,
    ADD CONSTRAINT message_kind_check CHECK (kind IN
        ('confirmed', 'waitlisted', 'pending', 'rejected', 'sign_in', 'schedule',
         'application_drafted', 'application_submitted', 'application_info_requested',
         'application_selected', 'application_reserve_listed', 'application_rejected',
         'application_confirmed', 'application_lapsed'));
