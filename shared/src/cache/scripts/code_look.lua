-- What the cache has for a phone: the last two codes, and how long wrong tries keep it closed.
--
-- KEYS  1 code   2 the code before it   3 wrong tries of strangers today   4 those of known devices   5 failures in a row
-- ARGV  1, 2 wrong tries a day: strangers, known devices   3, 4 failures in a row: the same   5 ms to midnight
-- Returns ms for which strangers are refused, ms for which known devices are, and a list of codes, the newest first: seed,
-- MAC, wrong tries of strangers, wrong tries of known devices, use or nil, ms for which it is good
--
-- Running it twice is harmless: it writes nothing.
local function wait(key, kind, per_day, in_a_row)
  if tonumber(redis.call('HGET', KEYS[5], kind) or '0') >= tonumber(in_a_row) then return tonumber(ARGV[5]) end
  if tonumber(redis.call('GET', key) or '0') >= tonumber(per_day) then return math.max(redis.call('PTTL', key), 1) end
  return 0
end
local codes = {}
for at = 1, 2 do
  local code = redis.call('HMGET', KEYS[at], 'seed', 'mac', 'stranger_tries', 'device_tries', 'used')
  local left = redis.call('PTTL', KEYS[at])
  if code[1] and left > 0 then
    codes[#codes + 1] = {code[1], code[2], code[3] or '0', code[4] or '0', code[5], left}
  end
end
return {wait(KEYS[3], 'stranger', ARGV[1], ARGV[3]), wait(KEYS[4], 'device', ARGV[2], ARGV[4]), codes}
