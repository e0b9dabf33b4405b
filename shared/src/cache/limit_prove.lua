-- A code was used: what its number's prefixes owe is paid back in part, once for each code.
--
-- KEYS  1 whether this code has paid   then the debts
-- ARGV  1 how much one used code pays back   2 how long a code can be used, in ms
-- Gives nothing
--
-- Run twice, because the first reply was lost: the code has paid already.
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[2]) then return false end
for at = 2, #KEYS do
  local owed = tonumber(redis.call('GET', KEYS[at]) or '0')
  if owed > 0 then redis.call('DECRBY', KEYS[at], math.min(owed, tonumber(ARGV[1]))) end
end
return false
