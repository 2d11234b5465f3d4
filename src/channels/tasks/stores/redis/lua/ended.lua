-- Returns tasks that have ended, the newest first, each as its id and some fields.
-- ARGV: now, state, how many to pass over, how many, fields.
local found, first = {}, tonumber(ARGV[3])
for i, id in ipairs(redis.call('ZREVRANGE', named(ARGV[2]), first, first + tonumber(ARGV[4]) - 1)) do
  found[i] = {id, redis.call('HMGET', named('task', id), unpack(ARGV, 5))}
end
return found
