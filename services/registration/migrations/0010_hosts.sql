-- Stops that were told before events named their hosts are told again, once, with them.
WITH untold AS (
    UPDATE stop SET version = version + 1 WHERE NOT EXISTS
        (SELECT FROM outbox WHERE key = stop.id AND type = 'registration.stop.planned.v1'
         AND convert_from(payload, 'UTF8')::jsonb ? 'hosts')
    RETURNING *
), told AS (
    SELECT gen_random_uuid() AS event_id, * FROM untold
)
INSERT INTO outbox (event_id, topic, key, sequence, type, occurred_at, correlation_id, payload)
SELECT event_id, 'registration', id, version, 'registration.stop.planned.v1', now(), event_id::text,
       convert_to(jsonb_build_object(
           'stop_id', id,
           'mission_id', mission_id,
           'slug', slug,
           'city', city,
           'title', title,
           'venue', venue,
           'timezone', timezone,
           'on', held_on,
           'hosts', (SELECT coalesce(jsonb_agg(role.partner_id ORDER BY role.place), '[]')
                     FROM partner_role AS role
                     WHERE role.stop_id = told.id AND role.role IN ('lead', 'co_host'))
       )::text, 'UTF8')
FROM told;
