-- Returns the newest tasks of a state, each as its id and its fields. ARGV: now, state, how many at most.
local state, most = ARGV[2], tonumber(ARGV[3])
local ids = {}

local function take(found)
  for _, id in ipairs(found) do ids[#ids + 1] = id end
end

local function each_of(registered, place)
  for _, name in ipairs(redis.call('SMEMBERS', named(registered))) do
    if state == 'limited' then take(redis.call('ZREVRANGE', named(place, name), 0, most - 1))
    else take(redis.call('SMEMBERS', named(place, name))) end
  end
end

if state == 'running' then each_of('owners', 'running')
elseif state == 'limited' then each_of('limits', 'limited')
elseif state == 'blocked' then each_of('groups', 'blocked')
elseif WAITS_FOR_WORKER[state] then
  for _, backend in ipairs(redis.call('SMEMBERS', named('backends'))) do
    for _, queue in ipairs(redis.call('SMEMBERS', named('queues', backend))) do
      for _, lane in ipairs({'0', '1'}) do
        take(redis.call('ZREVRANGE', named(state, backend, lane, queue), 0, most - 1))
      end
    end
  end
else take(redis.call('ZREVRANGE', named(state), 0, most - 1)) end

table.sort(ids, function(a, b) return a > b end)
local found = {}
for i = 1, math.min(most, #ids) do found[i] = {ids[i], redis.call('HGETALL', named('task', ids[i]))} end
return found
