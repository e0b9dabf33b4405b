-- Judges a try of a code. The failure is counted before the comparison, and the count is undone if the code is right.
--
-- KEYS  1 code   2 wrong tries today   3 stats of the day
-- ARGV  1 macs of the tried code, one for each key that may have signed it   2 wrong tries that end a code
--       3 wrong tries a day   4 ms to midnight   5 "claim" uses the code up for a registration, "verify" does not
-- Returns {"right", nil}, {"used", nil}, {"wrong", nil} or {"wait", ms}
--
-- A claimed code stays right for further claims, so that a registration whose reply was lost or whose write failed can
-- be repeated. It is wrong for everything else, and so is a code that opened a session. Neither counts as a failure: a
-- client that knows a used code is not guessing.
--
-- Running it twice: a right try is right again; a wrong one counts twice, which errs on the safe side.
local code, misses = KEYS[1], KEYS[2]
local function count(stat)
  if redis.call('HINCRBY', KEYS[3], stat, 1) == 1 then redis.call('EXPIRE', KEYS[3], 259200) end
end

if tonumber(redis.call('GET', misses) or '0') >= tonumber(ARGV[3]) then
  count('refused_tries_per_day')
  return {'wait', math.max(redis.call('PTTL', misses), 1)}
end
if redis.call('INCR', misses) == 1 then redis.call('PEXPIRE', misses, ARGV[4]) end

local live = redis.call('HMGET', code, 'mac', 'tries', 'used')
if not live[1] or tonumber(live[2]) >= tonumber(ARGV[2]) then return {'wrong', false} end
redis.call('HINCRBY', code, 'tries', 1)

-- Takes constant time, although both sides are MACs under keys that the client does not have.
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
