-- Ends a session.
--
-- KEYS  1 session   2 epochs of the slot's users   3 mark of a cookie that was set lately
-- Returns as `session_touch`; it was good until now
--
-- Running it twice: the second time there is no session.
local value = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1], KEYS[3])
if not value then return {'none', false, false} end
local session = cjson.decode(value)
local raised = redis.call('HGET', KEYS[2], session.user_id)
if raised then
  local epoch, is_disabled = string.match(raised, '^(%d+):%d+:(%d)$')
  if tonumber(epoch) > (session.epoch or 0) then return {is_disabled == '1' and 'disabled' or 'none', false, false} end
end
return {'good', value, false}
