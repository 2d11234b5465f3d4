-- Returns client and entry of each who is present.
drop_lapsed()
return redis.call('HGETALL', present)
