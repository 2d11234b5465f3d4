-- Deletes tasks that have ended before a time, a thousand of each state at most; returns how many.
-- ARGV: now, the time, states.
local deleted = 0
for i = 3, #ARGV do
  local ended = named(ARGV[i])
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', ended, '-inf', '(' .. ARGV[2], 'LIMIT', 0, 1000)) do
    local group = redis.call('HGET', named('task', id), 'counts_for')
    if group then redis.call('SREM', named('members', group), id) end
    redis.call('DEL', named('task', id))
    redis.call('ZREM', ended, id)
    deleted = deleted + 1
  end
end
return deleted
