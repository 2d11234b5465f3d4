-- ARGV: id, message, expiry (ms), PUBLISH or SPUBLISH, topic.
-- Puts a taken entry back in front. Returns how many expired.
redis.call('ZREM', leases, ARGV[1])
redis.call('HDEL', taken, ARGV[1])
redis.call('LPUSH', ready, entry_of(now + ARGV[3], ARGV[1], ARGV[2]))
redis.call('PEXPIRE', ready, 2 * ARGV[3])
note(ARGV[3])
redis.call(ARGV[4], ARGV[5], '1')
return {vanished}
