-- Uses a code up and opens a session, or does neither.
--
-- KEYS  1 code   2 session   3 stats of the day
-- ARGV  1 macs of the tried code, which was judged before   2 session's value   3 session's seconds
--       4 wrong tries that end a code
-- Returns 1, or 0 if another request used the code first
--
-- Running it twice is harmless: the session exists already, and nobody else has its id.
local function count(stat)
  if redis.call('HINCRBY', KEYS[3], stat, 1) == 1 then redis.call('EXPIRE', KEYS[3], 259200) end
end
if redis.call('EXISTS', KEYS[2]) == 1 then return 1 end
local live = redis.call('HMGET', KEYS[1], 'mac', 'tries', 'used')
if not live[1] or not string.find(ARGV[1], live[1], 1, true) then return 0 end
if live[3] or tonumber(live[2]) >= tonumber(ARGV[4]) then return 0 end
redis.call('HSET', KEYS[1], 'used', 'session')
count('sms_verified')
count('logins')
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1
