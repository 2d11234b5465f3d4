-- ARGV: now, name of the schedule, when it had ticked last, when it has now, tasks. Returns whether nobody else did.
if redis.call('HGET', named('ticks'), ARGV[2]) ~= ARGV[3] then return 0 end
redis.call('HSET', named('ticks'), ARGV[2], ARGV[4])
write(5)
settle()
tell()
return 1
