-- Says that a worker is alive; returns whether nobody has taken it for dead. ARGV: now, owner.
local worker = named('worker', ARGV[2])
if redis.call('EXISTS', worker) == 0 then return 0 end
redis.call('HINCRBY', worker, 'beats', 1)
redis.call('HSET', worker, 'seen_at', now)
redis.call('ZADD', named('workers'), now, ARGV[2])
return 1
