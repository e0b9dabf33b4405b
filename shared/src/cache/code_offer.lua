-- A phone asks for a code. Refuses by the limits of the phone, or counts the send and gives the seed to send:
-- that of the code that is still good, else the new one.
--
-- KEYS  1 code   2 cool-down   3 sends today   4 wrong tries today   5 figures of the day
-- ARGV  1 seed   2 mac   3 code's ms   4 cool-down's ms   5 sends a day   6 wrong tries a day   7 ms to midnight
--       8 tries of a code
-- Gives {"sent", ms that the code is still good, seed} or {"wait", ms, nil}
--
-- Run twice, because the first reply was lost: the cool-down has this wish's seed in it, so nothing counts twice.
local code, cool, sends, misses = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local function count(figure, by)
  if redis.call('HINCRBY', KEYS[5], figure, by or 1) == 1 then redis.call('EXPIRE', KEYS[5], 259200) end
end

local wait = redis.call('PTTL', cool)
local again = redis.call('GET', cool) == ARGV[1]
if wait > 0 and not again then count('refused_cool_down') return {'wait', wait, false} end
if tonumber(redis.call('GET', misses) or '0') >= tonumber(ARGV[6]) then
  count('refused_tries_per_day')
  return {'wait', math.max(redis.call('PTTL', misses), 1), false}
end
if not again and tonumber(redis.call('GET', sends) or '0') >= tonumber(ARGV[5]) then
  count('refused_sends_per_day')
  return {'wait', math.max(redis.call('PTTL', sends), 1), false}
end

if not again then
  redis.call('SET', cool, ARGV[1], 'PX', ARGV[4])
  if redis.call('INCR', sends) == 1 then redis.call('PEXPIRE', sends, ARGV[7]) end
  count('sms_sent')
end

local live = redis.call('HMGET', code, 'seed', 'tries', 'used')
if live[1] and not live[3] and tonumber(live[2]) < tonumber(ARGV[8]) then
  local left = redis.call('PTTL', code)
  if left > 0 then return {'sent', left, live[1]} end
end
redis.call('DEL', code)
redis.call('HSET', code, 'seed', ARGV[1], 'mac', ARGV[2], 'tries', '0')
redis.call('PEXPIRE', code, ARGV[3])
return {'sent', tonumber(ARGV[3]), ARGV[1]}
