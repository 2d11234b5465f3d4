-- ARGV: ids.
-- Returns how many expired, and how many of the ids were there.
redis.call('ZREM', leases, unpack(ARGV))
local done = redis.call('HDEL', taken, unpack(ARGV))
note()
return {vanished, done}
