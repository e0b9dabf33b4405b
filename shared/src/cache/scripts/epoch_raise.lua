-- Raises a user's epoch, so that sessions, tokens and devices that were made before are worth nothing.
--
-- KEYS  1 epochs of the slot's users   2 the same for devices, where the slot is that of a phone
-- ARGV  1 user's id   2 epoch   3 s until which it is kept: the longest life of what it ends   4 1 if the account is disabled
--       5 now in s
-- Returns nothing
--
-- The keys have no time to live, so that a cache that is full does not evict them. Each write removes some epochs that nobody
-- needs any more, so that they do not grow without end.
--
-- Running it twice is harmless: an epoch never falls.
for _, key in ipairs(KEYS) do
  local raised = redis.call('HGET', key, ARGV[1])
  if not raised or tonumber(ARGV[2]) > tonumber(string.match(raised, '^%d+')) then
    redis.call('HSET', key, ARGV[1], ARGV[2] .. ':' .. ARGV[3] .. ':' .. ARGV[4])
  end
  local some = redis.call('HRANDFIELD', key, 8, 'WITHVALUES')
  for at = 1, #some, 2 do
    local kept = string.match(some[at + 1], '^%d+:(%d+)')
    if tonumber(kept) < tonumber(ARGV[5]) then redis.call('HDEL', key, some[at]) end
  end
end
return false
