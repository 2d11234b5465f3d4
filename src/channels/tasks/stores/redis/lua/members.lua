-- Returns the tasks of a group, each as its id and its fields, in the order of their ids. ARGV: now, group.
local ids, found = redis.call('SMEMBERS', named('members', ARGV[2])), {}
table.sort(ids)
for i, id in ipairs(ids) do found[i] = {id, redis.call('HGETALL', named('task', id))} end
return found
