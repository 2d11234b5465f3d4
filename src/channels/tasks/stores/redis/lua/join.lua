-- Notes a worker. ARGV: now, owner, what is known of it.
redis.call('HSET', named('worker', ARGV[2]), 'beats', 0, 'about', ARGV[3], 'seen_at', now)
redis.call('ZADD', named('workers'), now, ARGV[2])
return 1
