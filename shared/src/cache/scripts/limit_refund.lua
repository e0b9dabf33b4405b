-- Undoes what `limit_spend` counted, because the action did not happen. Its idempotency key is free again.
--
-- KEYS, ARGV  as for `limit_spend`
-- Returns nothing
--
-- Running it twice is harmless: the second time no list has the entry of this spend, so nothing is refunded.
local entry, refunded = ARGV[3] .. ':' .. ARGV[2], false
for at = 7, #ARGV, 8 do
  local row = 3 + (at - 7) / 8 * 2
  if tonumber(ARGV[at + 1]) > 0 and redis.call('LREM', KEYS[row], -1, entry) == 1 then refunded = true end
end
if not refunded then return false end
for at = 7, #ARGV, 8 do
  local row = 3 + (at - 7) / 8 * 2
  if tonumber(ARGV[at + 1]) == 0 and redis.call('EXISTS', KEYS[row]) == 1 then
    redis.call('DECRBY', KEYS[row], ARGV[at + 4])
  end
  if tonumber(ARGV[at + 5]) > 0 and redis.call('EXISTS', KEYS[row + 1]) == 1 then redis.call('DECR', KEYS[row + 1]) end
end
if ARGV[5] ~= '0' then redis.call('DEL', KEYS[2]) end
if ARGV[6] ~= '' then redis.call('HINCRBY', KEYS[1], ARGV[6], -1) end
return false
