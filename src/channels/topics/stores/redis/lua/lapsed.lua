-- ARGV[1]: the lease (ms).
-- Returns topics that nobody has renewed for a lease; each a second time when another lease has passed, as
-- whoever got it first may have died.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)
local topics = {}
for n, member in ipairs(due) do
  topics[n] = string.sub(member, 2)
  redis.call('ZREM', KEYS[1], member)
  if string.sub(member, 1, 1) == '1' then redis.call('ZADD', KEYS[1], now + ARGV[1], '2' .. topics[n]) end
end
redis.call('PEXPIRE', KEYS[1], kept)
return topics
