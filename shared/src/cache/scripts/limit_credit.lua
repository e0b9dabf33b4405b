-- Credits the ranges of a number whose code was used: each owes fewer unverified sends, once for each code.
--
-- KEYS  1 marks a code that was credited   then the debt of each range
-- ARGV  1 sends that one used code pays for   2 ms for which a code can be used
-- Returns nothing
--
-- Running it twice is harmless: the code is marked.
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[2]) then return false end
for at = 2, #KEYS do
  local owed = tonumber(redis.call('GET', KEYS[at]) or '0')
  if owed > 0 then redis.call('DECRBY', KEYS[at], math.min(owed, tonumber(ARGV[1]))) end
end
return false
