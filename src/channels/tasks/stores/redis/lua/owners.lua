-- Returns the workers that run tasks, each with its beats; -1: it is not known.
local found = {}
for _, owner in ipairs(redis.call('SMEMBERS', named('owners'))) do
  found[#found + 1] = {owner, redis.call('HGET', named('worker', owner), 'beats') or '-1'}
end
return found
