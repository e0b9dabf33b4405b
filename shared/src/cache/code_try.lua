-- Somebody tries a code. The failure is counted before the comparison, and taken back when it was none.
--
-- KEYS  1 code   2 wrong tries today   3 figures of the day
-- ARGV  1 macs of the tried code, by each key that may have made it   2 tries of a code   3 wrong tries a day   4 ms to midnight
--       5 "claim" uses the code up for a registration; "peek" leaves it as it is
-- Gives {"right", nil}, {"used", nil}, {"wrong", nil} or {"wait", ms}
--
-- A claimed code stays right for further claims, so that a registration whose reply was lost, or whose write
-- failed, can be sent again. It is wrong for everything else, and so is one that opened a session; but who knows a
-- used code is not guessing, so that is not counted.
--
-- Run twice, because the first reply was lost: a right try is right again; a wrong one counts twice.
local code, misses = KEYS[1], KEYS[2]
local function count(figure, by)
  if redis.call('HINCRBY', KEYS[3], figure, by or 1) == 1 then redis.call('EXPIRE', KEYS[3], 259200) end
end

if tonumber(redis.call('GET', misses) or '0') >= tonumber(ARGV[3]) then
  count('refused_tries_per_day')
  return {'wait', math.max(redis.call('PTTL', misses), 1)}
end
if redis.call('INCR', misses) == 1 then redis.call('PEXPIRE', misses, ARGV[4]) end

local live = redis.call('HMGET', code, 'mac', 'tries', 'used')
if not live[1] or tonumber(live[2]) >= tonumber(ARGV[2]) then return {'wrong', false} end
redis.call('HINCRBY', code, 'tries', 1)

-- Compared in constant time, although both sides are MACs under keys that the asker does not have.
local function is_same(mac, tried)
  local differs = bit.bxor(#mac, #tried)
  for i = 1, math.min(#mac, #tried) do
    differs = bit.bor(differs, bit.bxor(string.byte(mac, i), string.byte(tried, i)))
  end
  return differs == 0
end
local is_right = false
for tried in string.gmatch(ARGV[1], '%S+') do is_right = is_same(live[1], tried) or is_right end
if not is_right then return {'wrong', false} end

redis.call('HINCRBY', code, 'tries', -1)
redis.call('DECR', misses)
if ARGV[5] == 'claim' then
  if live[3] and live[3] ~= 'claim' then return {'used', false} end
  if not live[3] then count('sms_verified') end
  redis.call('HSET', code, 'used', 'claim')
  return {'right', false}
end
return {live[3] and 'used' or 'right', false}
