-- `partners` names the stop's hosts as well, and all its partners where the stop itself is told of:
-- of a stop that is told late, or gains a host, they are told what they have missed, once.
CREATE INDEX feed_event_stop ON feed_event (stop_id, position);

DELETE FROM feed_event USING feed_stop
WHERE feed_stop.stop_id = feed_event.stop_id AND hosts @> ARRAY[only_partner];

UPDATE feed_event SET partners = ARRAY(
    SELECT unnest(feed_event.partners) UNION SELECT unnest(hosts)
    UNION SELECT unnest(feed_stop.partners) WHERE audience = 'stop'
)
FROM feed_stop
WHERE feed_stop.stop_id = feed_event.stop_id AND audience IN ('stop', 'people');
