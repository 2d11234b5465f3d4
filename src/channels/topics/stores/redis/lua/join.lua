-- ARGV[3]: client, ARGV[4]: its entry.
-- Returns 1 if nobody was there before.
drop_lapsed()
local before = redis.call('HLEN', present)
local known = forget(ARGV[3])
note(ARGV[3], ARGV[4])
keep()
if not known and is_told(ARGV[4]) then tell('J', ARGV[4]) end
return before == 0 and 1 or 0
