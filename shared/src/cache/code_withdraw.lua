-- A counted send did not happen: it counts no more, and the phone need not cool down. The code stays.
--
-- KEYS  1 cool-down   2 sends today
-- Gives nothing
--
-- Run twice, because the first reply was lost: the second time there is no cool-down, so nothing is taken back.
if redis.call('DEL', KEYS[1]) == 1 and redis.call('EXISTS', KEYS[2]) == 1 then redis.call('DECR', KEYS[2]) end
return false
