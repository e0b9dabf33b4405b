-- Gives a session that a change of its user's rights keeps the rights of now.
--
-- KEYS  1 session
-- ARGV  1 user's epoch   2 role   3 phone   4 phone that the user has left for it, or nothing
-- Returns 1, or 0 if the session has ended
--
-- Running it twice is harmless: the value is the same. It makes no session: one that has ended stays so.
local value = redis.call('GET', KEYS[1])
if not value then return 0 end
local session = cjson.decode(value)
-- Of two changes at once, the later one may have been here first.
if tonumber(ARGV[1]) < (session.epoch or 0) then return 1 end
session.epoch, session.role, session.phone = tonumber(ARGV[1]), ARGV[2], ARGV[3]
if ARGV[4] ~= '' then session.left = ARGV[4] end
redis.call('SET', KEYS[1], cjson.encode(session), 'XX', 'KEEPTTL')
return 1
