-- A counted send did not happen: it counts no more, and the phone need not cool down. The code stays.
--
-- KEYS  1 cool-down   2 sends today
-- Gives nothing
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('DECR', KEYS[2]) end
return false
