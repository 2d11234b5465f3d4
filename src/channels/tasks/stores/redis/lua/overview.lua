-- Returns how many tasks there are in each state that does not last; when the oldest that is ready became due; workers
-- with how many tasks each runs; schedules; limits with how many wait for each, and how many have a place; queues with
-- when the oldest that is ready became due.
local first_of = {}
local counts, oldest = {ready = 0, recovered = 0, limited = 0, running = 0}, ''

-- Of a sorted set the first of each priority is the oldest of it.
local function look_for_oldest(line, queue)
  local id, after = nil, '-inf'
  while true do
    local first = redis.call('ZRANGEBYSCORE', line, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if not first[1] then return end
    local due = redis.call('HGET', named('task', first[1]), 'run_at')
    if oldest == '' or number(due) < number(oldest) then oldest = due end
    if not first_of[queue] or number(due) < number(first_of[queue]) then first_of[queue] = due end
    after = '(' .. first[2]
  end
end

for _, backend in ipairs(redis.call('SMEMBERS', named('backends'))) do
  for _, queue in ipairs(redis.call('SMEMBERS', named('queues', backend))) do
    for _, lane in ipairs({'0', '1'}) do
      for state in pairs(WAITS_FOR_WORKER) do
        local line = named(state, backend, lane, queue)
        counts[state] = counts[state] + redis.call('ZCARD', line)
        if state == 'ready' then look_for_oldest(line, queue) end
      end
    end
  end
end
for _, owner in ipairs(redis.call('SMEMBERS', named('owners'))) do
  counts.running = counts.running + redis.call('SCARD', named('running', owner))
end
local limits = {}
for _, key in ipairs(redis.call('SMEMBERS', named('limits'))) do
  local waiting = redis.call('ZCARD', named('limited', key))
  counts.limited = counts.limited + waiting
  if #limits < 100 then
    local due = redis.call('ZSCORE', named('due'), key)
    local first = redis.call('ZRANGE', named('limited', key), 0, 0)[1]
    local allowance = redis.call('HGET', named('task', first), 'allowance')
    local places = redis.call('SCARD', named('places', key))
    limits[#limits + 1] = {key, waiting, places, allowance, due and text(number(due)) or ''}
  end
end
local queues = {}
for queue, due in pairs(first_of) do
  queues[#queues + 1] = queue
  queues[#queues + 1] = due
end
local workers = {}
for _, owner in ipairs(redis.call('ZREVRANGE', named('workers'), 0, 99)) do
  local facts = redis.call('HMGET', named('worker', owner), 'beats', 'about', 'seen_at')
  workers[#workers + 1] = {owner, facts[1], facts[2], facts[3], redis.call('SCARD', named('running', owner))}
end
return {
  counts.ready, redis.call('ZCARD', named('scheduled')), counts.recovered, counts.running, counts.limited,
  oldest, workers, redis.call('HGETALL', named('ticks')), limits, queues
}
