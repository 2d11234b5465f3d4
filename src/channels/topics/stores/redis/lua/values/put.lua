-- KEYS[1]: a value, a hash of v (version, 19 digits) and d (its data).
-- ARGV: version, data, ttl (ms). Returns whether it was written.
local version = redis.call('HGET', KEYS[1], 'v')
if version and ARGV[1] <= version then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'd', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
