-- A login whose code was right and whose user was found: uses the code up and opens the session, or neither.
--
-- KEYS  1 code   2 session   3 figures of the day
-- ARGV  1 macs of the tried code, which was judged before   2 session's value   3 session's seconds   4 tries of a code
-- Gives 1, or 0 when another request was faster
--
-- Run twice, because the first reply was lost: the session, whose id nobody else has, is there already.
local function count(figure, by)
  if redis.call('HINCRBY', KEYS[3], figure, by or 1) == 1 then redis.call('EXPIRE', KEYS[3], 259200) end
end
if redis.call('EXISTS', KEYS[2]) == 1 then return 1 end
local live = redis.call('HMGET', KEYS[1], 'mac', 'tries', 'used')
if not live[1] or not string.find(ARGV[1], live[1], 1, true) or live[3] or tonumber(live[2]) >= tonumber(ARGV[4]) then return 0 end
redis.call('HSET', KEYS[1], 'used', 'session')
count('sms_verified')
count('logins')
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1
