-- Finds a session and renews its life.
--
-- KEYS  1 session   2 epochs of the slot's users   3 mark of a cookie that was set lately
-- ARGV  1 now in s   2 s that a session lives unused   3 s that it lives at all   4 s between two cookies
-- Returns {"good", the session's value, 1 if the browser is to get the cookie again}, {"disabled", nil, nil} or
-- {"none", nil, nil}
--
-- An epoch is "number:s until which it is kept:1 if the account is disabled". A session that was made before it is worth
-- nothing. No write here can make a session, so a client with the rights of this script cannot open one.
--
-- Running it twice: the session lives as long as after the first time, and the cookie may stay as it is for another while.
local none, now = {'none', false, false}, tonumber(ARGV[1])
local value = redis.call('GET', KEYS[1])
if not value then return none end
local session = cjson.decode(value)
local raised = redis.call('HGET', KEYS[2], session.user_id)
if raised then
  local epoch, is_disabled = string.match(raised, '^(%d+):%d+:(%d)$')
  if tonumber(epoch) > (session.epoch or 0) then return {is_disabled == '1' and 'disabled' or 'none', false, false} end
end
-- A session of an earlier release has no age: it is not renewed, and so ends.
if not session.opened_at then return {'good', value, 0} end
local left = session.opened_at + tonumber(ARGV[3]) - now
if left <= 0 then return none end
redis.call('EXPIRE', KEYS[1], math.min(tonumber(ARGV[2]), left))
local renews = redis.call('HSETNX', KEYS[3], 'at', ARGV[1])
if renews == 1 then redis.call('EXPIRE', KEYS[3], ARGV[4]) end
return {'good', value, renews}
