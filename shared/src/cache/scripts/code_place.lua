-- Stores a new code for a phone. The one before it stays good for its rest, unless it was used up.
--
-- KEYS  1 code   2 the code before it
-- ARGV  1 seed   2 MAC   3 ms for which the code is good
-- Returns nothing
--
-- Running it twice is harmless: a code with the same seed is left as it is, with its count of tries.
local last = redis.call('HMGET', KEYS[1], 'seed', 'used')
if last[1] == ARGV[1] then return false end
if last[2] == 'session' then
  redis.call('DEL', KEYS[1], KEYS[2])
elseif last[1] then
  -- It keeps its time-to-live.
  redis.call('RENAME', KEYS[1], KEYS[2])
end
redis.call('HSET', KEYS[1], 'seed', ARGV[1], 'mac', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return false
