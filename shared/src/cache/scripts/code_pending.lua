-- Which code the next message to a phone carries.
--
-- KEYS  1 code   2 wrong tries today
-- ARGV  1 wrong tries that end a code   2 wrong tries a day
-- Returns {"live", ms for which the code is still good, its seed}, {"none", 0, nil} or {"closed", ms to midnight, nil}
--
-- Running it twice is harmless: it writes nothing.
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[2]) then
  return {'closed', math.max(redis.call('PTTL', KEYS[2]), 1), false}
end
local live = redis.call('HMGET', KEYS[1], 'seed', 'tries', 'used')
local left = redis.call('PTTL', KEYS[1])
if live[1] and not live[3] and tonumber(live[2]) < tonumber(ARGV[1]) and left > 0 then
  return {'live', left, live[1]}
end
return {'none', 0, false}
