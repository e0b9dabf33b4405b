-- Tries a code.
--
-- KEYS  1 to 5 as for `code_judge`
-- ARGV  1 to 11 as for `code_judge`   12 "claim" marks a right code for a change that may be repeated, "verify" does not
-- Returns {"right", nil, the code's MAC}, {"used", nil, nil}, {"wrong", nil, nil} or {"wait", ms, nil}
--
-- A claimed code stays right, so that a change whose reply was lost or whose write failed can be repeated.
--
-- Running it twice: a right try is right again; a wrong one counts twice, which errs on the safe side.
local verdict, detail = judge()
if verdict ~= 'right' then return {verdict, detail or false, false} end
if ARGV[12] == 'claim' then use(detail, true) end
return {verdict, false, detail.mac}
