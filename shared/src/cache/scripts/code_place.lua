-- Stores a new code for a phone, in place of any earlier one.
--
-- KEYS  1 code
-- ARGV  1 seed   2 mac   3 ms for which the code is good
-- Returns nothing
--
-- Running it twice is harmless: a code with the same seed is left as it is, with its count of tries.
if redis.call('HGET', KEYS[1], 'seed') == ARGV[1] then return false end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'seed', ARGV[1], 'mac', ARGV[2], 'tries', '0')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return false
