-- Uses a right code up and opens a session, or does neither.
--
-- KEYS  1 to 5 as for `code_judge`   6 session
-- ARGV  1 to 11 as for `code_judge`   12 session's value   13 session's seconds
-- Returns as `code_try`; "used" also if another request used the code first
--
-- Running it twice is harmless: the session exists already, and nobody else has its id.
if redis.call('EXISTS', KEYS[6]) == 1 then return {'right', false, false} end
local verdict, detail = judge()
if verdict ~= 'right' then return {verdict, detail or false, false} end
use(detail, false)
if detail.key then count('logins') end
redis.call('SET', KEYS[6], ARGV[12], 'EX', ARGV[13])
return {verdict, false, detail.mac}
