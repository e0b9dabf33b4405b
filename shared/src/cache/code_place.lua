-- A phone gets a new code, in place of one that is of no use any more.
--
-- KEYS  1 code
-- ARGV  1 seed   2 mac   3 code's ms
-- Gives nothing
--
-- Run twice, because the first reply was lost: the code is the one that is there already, and keeps its count of tries.
if redis.call('HGET', KEYS[1], 'seed') == ARGV[1] then return false end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'seed', ARGV[1], 'mac', ARGV[2], 'tries', '0')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return false
