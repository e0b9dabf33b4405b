-- Uses up the codes of a phone that were claimed, because what they were claimed for has been done.
--
-- KEYS  1 code   2 the code before it
-- Returns nothing
--
-- Running it twice is harmless: a used code is used. One that came in between is not claimed.
for at = 1, 2 do
  if redis.call('HEXISTS', KEYS[at], 'used') == 1 then redis.call('HSET', KEYS[at], 'used', 'session') end
end
return false
