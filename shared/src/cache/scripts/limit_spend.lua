-- Counts an action in every row of the table of limits, or in none. A refusal counts one stat.
--
-- KEYS  1 stats of the day   2 record of the request's idempotency key
--       then for each row: its count, and its debt (the count again, for a row without one)
-- ARGV  1 "spend", or "check" to count nothing   2 id of this spend   3 now in ms   4 ms to midnight
--       5 ms for which the record is kept, 0 without an idempotency key   6 stat to count, or ""
--       then for each row: name, window in ms (0: until midnight), max, max of the client that may do the most, cost, ms for which a
--       debt is kept (0: none), debt up to which max holds, max beyond it
-- Returns {"counted", nil, nil}, {"wait", ms, nil}, or for a known idempotency key {"reply", age in ms, reply or nil}
--
-- A row with a window is a list of the moments that counted, newest last, so that any span of that length is limited;
-- a row by the day is a sum.
--
-- Running it twice is harmless: each entry has the id of its spend, by which a repetition is recognized. If another
-- spend of the same row came between, it counts twice, which errs on the safe side.
local is_check, id, now, rest = ARGV[1] == 'check', ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local has_record = ARGV[5] ~= '0'
local entry = ARGV[3] .. ':' .. id
local function count(stat)
  if redis.call('HINCRBY', KEYS[1], stat, 1) == 1 then redis.call('EXPIRE', KEYS[1], 259200) end
end

if has_record then
  local known = redis.call('HMGET', KEYS[2], 'id', 'at', 'reply')
  if known[1] and known[1] ~= id then return {'reply', math.max(now - tonumber(known[2]), 0), known[3]} end
end

local rows, wait, refusal = {}, 0, nil
for at = 7, #ARGV, 8 do
  local row = {key = KEYS[3 + #rows * 2], debt = KEYS[4 + #rows * 2], name = ARGV[at], window = tonumber(ARGV[at + 1]),
    max = tonumber(ARGV[at + 2]), keep = tonumber(ARGV[at + 3]), cost = tonumber(ARGV[at + 4]),
    memory = tonumber(ARGV[at + 5])}
  if row.memory > 0 and tonumber(redis.call('GET', row.debt) or '0') > tonumber(ARGV[at + 6]) then
    row.max = math.min(row.max, tonumber(ARGV[at + 7]))
  end
  local left = 0
  if row.window == 0 then
    if tonumber(redis.call('GET', row.key) or '0') + row.cost > row.max then left = rest end
  else
    if not is_check and redis.call('LINDEX', row.key, -1) == entry then return {'counted', false, false} end
    -- The window is full if the moment that lies max entries back is still within it.
    local first = redis.call('LINDEX', row.key, -row.max)
    if first then
      left = tonumber(string.match(first, '%d+')) + row.window - now
      left = math.min(left, row.window)
    end
  end
  if left > 0 and not refusal then refusal = row.name end
  wait = math.max(wait, left)
  rows[#rows + 1] = row
end
if refusal then
  count('refused_' .. refusal)
  return {'wait', wait, false}
end
if is_check then return {'counted', false, false} end

for _, row in ipairs(rows) do
  if row.window == 0 then
    redis.call('INCRBY', row.key, row.cost)
    redis.call('PEXPIRE', row.key, rest)
  else
    redis.call('RPUSH', row.key, entry)
    redis.call('LTRIM', row.key, -row.keep, -1)
    redis.call('PEXPIRE', row.key, row.window)
  end
  if row.memory > 0 then
    redis.call('INCR', row.debt)
    redis.call('PEXPIRE', row.debt, row.memory)
  end
end
if has_record then
  redis.call('HSET', KEYS[2], 'id', id, 'at', ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
if ARGV[6] ~= '' then count(ARGV[6]) end
return {'counted', false, false}
