-- Returns when a schedule has ticked last; now, if it is new. ARGV: now, name of the schedule.
redis.call('HSETNX', named('ticks'), ARGV[2], now)
return redis.call('HGET', named('ticks'), ARGV[2])
