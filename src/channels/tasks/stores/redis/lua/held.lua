-- Returns the tasks that a worker has, each with whether somebody has cancelled it. ARGV: now, owner.
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', named('running', ARGV[2]))) do
  found[#found + 1] = {id, redis.call('HEXISTS', named('task', id), 'cancel_at')}
end
return found
