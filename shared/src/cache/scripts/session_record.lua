-- Adds a new session to the set of its user's sessions, and writes what else goes with it.
--
-- KEYS  1 set of the user's sessions   2 epochs of the slot's users   3 mark of a cookie that was set lately
-- ARGV  1 hash of the session's id   2 now in s   3 s that a session lives at all   4 user's id   5 user's epoch, as the row
--       has it   6 most sessions of a user   7 s between two cookies
-- Returns hashes of the oldest sessions beyond that number, which are to be ended
--
-- The epoch is written again where the cache has lost it. Sessions that have ended stay in the set for their age at most:
-- who lists them asks which are left.
--
-- Running it twice is harmless: the set has the session already, and what is beyond the number stays beyond it.
local now, age = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - age)
redis.call('EXPIRE', KEYS[1], age)
redis.call('HSET', KEYS[3], 'at', ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[7])
local raised = redis.call('HGET', KEYS[2], ARGV[4])
if tonumber(ARGV[5]) > tonumber(raised and string.match(raised, '^%d+') or '0') then
  redis.call('HSET', KEYS[2], ARGV[4], ARGV[5] .. ':' .. (now + age) .. ':0')
end
local excess = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[6])
if excess <= 0 then return {} end
return redis.call('ZRANGE', KEYS[1], 0, excess - 1)
