-- ARGV: id, message, capacity, expiry (ms), PUBLISH or SPUBLISH, topic.
-- Returns 1 if it was added, 0 if the queue is full; and how many expired.
local expired = vanished + drop_expired()
if redis.call('LLEN', ready) >= tonumber(ARGV[3]) then
  note(ARGV[4])
  return {0, expired}
end
redis.call('RPUSH', ready, entry_of(now + ARGV[4], ARGV[1], ARGV[2]))
redis.call('PEXPIRE', ready, 2 * ARGV[4])
note(ARGV[4])
redis.call(ARGV[5], ARGV[6], '1')
return {1, expired}
