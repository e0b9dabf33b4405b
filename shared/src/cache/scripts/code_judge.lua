-- Judges a try of a code: `code_try` and `session_open` begin with this text. A failure is counted before the comparison,
-- against the phone and both of its codes, and the count is undone if the code is right.
--
-- KEYS  1 code   2 the code before it   3 wrong tries of this kind of client today   4 failures in a row   5 stats of the day
-- ARGV  1 MACs of the tried code, one for each key that may have made it   2 kind of client: "stranger" or "device"
--       3 wrong tries that end a code   4, 5 name and max of the row of tries a day   6, 7 those of the row of failures in a
--       row   8 ms to midnight   9 MAC of the fixed code of a test number, else ""   10 how the MAC begins of the code that
--       the phone's user registered with, or ""   11 "1" to count a failure although there is no live code
--
-- `used` of a code is "session", or "claim" and the MACs of the codes by which changes claimed it. A code that opened a
-- session is used. A claimed one is used once the change was made by one of its claims; until then it is good for
-- everything, because the change may have failed. A client that knows a used code is not guessing: it counts nothing.
-- Where no code is live nothing can be guessed, and nothing is counted.
local kind = ARGV[2]
local function count(stat)
  if redis.call('HINCRBY', KEYS[5], stat, 1) == 1 then redis.call('EXPIRE', KEYS[5], 259200) end
end

-- How long it takes tells nothing about where MACs differ, because their hashes are compared. A loop over their bytes takes ten
-- times as long, and the cache is billed by that.
local function is_same(mac, tried)
  return redis.sha1hex(mac) == redis.sha1hex(tried)
end

local codes = {}
if ARGV[9] ~= '' then
  codes[1] = {mac = ARGV[9], tries = 0}
else
  for at = 1, 2 do
    local found = redis.call('HMGET', KEYS[at], 'mac', 'used', kind .. '_tries')
    if found[1] then
      codes[#codes + 1] = {key = KEYS[at], mac = found[1], used = found[2], tries = tonumber(found[3] or '0')}
    end
  end
end

local function add_failure(amount)
  if redis.call('INCRBY', KEYS[3], amount) == 1 and amount == 1 then redis.call('PEXPIRE', KEYS[3], ARGV[8]) end
  if redis.call('HINCRBY', KEYS[4], kind, amount) == 0 then redis.call('HDEL', KEYS[4], kind) end
  for _, code in ipairs(codes) do
    if code.key then redis.call('HINCRBY', code.key, kind .. '_tries', amount) end
  end
end

-- "right" with the code, "used", "wrong", or "wait" with ms
local function judge()
  if tonumber(redis.call('HGET', KEYS[4], kind) or '0') >= tonumber(ARGV[7]) then
    count('refused_' .. ARGV[6])
    return 'wait', tonumber(ARGV[8])
  end
  if tonumber(redis.call('GET', KEYS[3]) or '0') >= tonumber(ARGV[5]) then
    count('refused_' .. ARGV[4])
    return 'wait', math.max(redis.call('PTTL', KEYS[3]), 1)
  end
  local is_counted = ARGV[11] == '1'
  for _, code in ipairs(codes) do is_counted = is_counted or code.used ~= 'session' end
  if is_counted then add_failure(1) end
  local right = nil
  for _, code in ipairs(codes) do
    for tried in string.gmatch(ARGV[1], '%S+') do
      if is_same(code.mac, tried) then right = right or code end
    end
  end
  if not right then return 'wrong' end
  local is_claim = right.used and ARGV[10] ~= '' and string.find(right.used, ARGV[10], 1, true)
  local is_used = right.used == 'session' or is_claim
  if right.tries >= tonumber(ARGV[3]) and not is_used then return 'wrong' end
  if is_counted then add_failure(-1) end
  if is_used then return 'used' end
  redis.call('DEL', KEYS[4])
  return 'right', right
end

-- Marks both codes, because one of them was right: using one ends both.
local function use(right, is_claim)
  if not right.key then return end
  if not right.used then count('sms_verified') end
  for _, code in ipairs(codes) do
    local used = 'session'
    if is_claim then
      used = code.used or 'claim'
      if not string.find(used, right.mac, 1, true) then used = used .. ' ' .. right.mac end
    end
    redis.call('HSET', code.key, 'used', used)
  end
end

