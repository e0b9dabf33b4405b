-- What was taken did not happen: it counts no more, and its idempotency key is free again.
--
-- KEYS, ARGV  as they were given to `limit_take`
-- Gives nothing
--
-- Run twice, because the first reply was lost: the second time no list has the wish's entry, so nothing is returned.
local entry, returned = ARGV[3] .. ':' .. ARGV[2], false
for at = 8, #ARGV, 7 do
  local row = 3 + (at - 8) / 7 * 2
  if tonumber(ARGV[at + 1]) > 0 and redis.call('LREM', KEYS[row], -1, entry) == 1 then returned = true end
end
if not returned then return false end
for at = 8, #ARGV, 7 do
  local row = 3 + (at - 8) / 7 * 2
  if tonumber(ARGV[at + 1]) == 0 and redis.call('EXISTS', KEYS[row]) == 1 then
    redis.call('DECRBY', KEYS[row], ARGV[at + 3])
  end
  if tonumber(ARGV[at + 4]) > 0 and redis.call('EXISTS', KEYS[row + 1]) == 1 then redis.call('DECR', KEYS[row + 1]) end
end
if ARGV[5] ~= '' then redis.call('DEL', KEYS[2]) end
if ARGV[7] ~= '' then redis.call('HINCRBY', KEYS[1], ARGV[7], -1) end
return false
