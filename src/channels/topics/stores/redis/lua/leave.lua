-- ARGV[3]: client, ARGV[4]: 1 if others are told.
-- Returns 1 if nobody is there any more, 0 too if it was not there.
drop_lapsed()
local entry = forget(ARGV[3])
if not entry then return 0 end
if ARGV[4] == '1' then tell('L', entry) end
return redis.call('HLEN', present) == 0 and 1 or 0
