-- Forgets a worker that has ended. ARGV: now, owner.
redis.call('DEL', named('worker', ARGV[2]))
redis.call('ZREM', named('workers'), ARGV[2])
return 1
