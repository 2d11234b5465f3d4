-- Returns how many clients are present, and how many users.
drop_lapsed()
return {redis.call('HLEN', present), redis.call('HLEN', users)}
