-- A counted send did not happen: it counts no more, and the phone need not cool down. The code stays.
--
-- KEYS  1 cool-down   2 sends today   3 figures of the day
-- Gives nothing
--
-- Run twice, because the first reply was lost: the second time there is no cool-down, so nothing is taken back.
local function count(figure, by)
  if redis.call('HINCRBY', KEYS[3], figure, by or 1) == 1 then redis.call('EXPIRE', KEYS[3], 259200) end
end
if redis.call('DEL', KEYS[1]) == 1 and redis.call('EXISTS', KEYS[2]) == 1 then redis.call('DECR', KEYS[2]) count('sms_sent', -1) end
return false
