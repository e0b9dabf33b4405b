-- Ends a session of a user.
--
-- KEYS  1 set of the user's sessions in the session's slot   2 session   3 mark of a cookie that was set lately
-- ARGV  1 hash of the session's id
-- Returns 1 if the user had it, else 0
--
-- A session of another user is in another set, and so is not ended.
--
-- Running it twice: the second time the user has no such session.
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('ZREM', KEYS[1], ARGV[1])
return 1
