-- Writes how attempts have ended, and takes other tasks.
-- ARGV: now, owner, backend, how many queues, these; how many outcomes, for each its id, move, errors, result and
-- run_at; how many claims, for each its lane, count, and the state.
-- Returns the numbers of outcomes that do not count any more, and of each task taken its id and its fields.
local owner, backend, at = ARGV[2], ARGV[3], 5
local queues = {}
for i = 1, number(ARGV[4]) do
  queues[i] = ARGV[at]
  at = at + 1
end
if #queues == 0 then queues = redis.call('SMEMBERS', named('queues', backend)) end

local function end_attempt(task, move, errors, result, run_at)
  if move == 'release' then
    redis.call('ZREM', named('starts', task.limit_key), task.id .. ':' .. task.attempts)
    set(task, 'attempts', number(task.attempts) - 1, 'owners', string.sub(task.owners, 1, -OWNER_LENGTH - 2))
  elseif move ~= 'give back' then set(task, 'errors', errors) end
  if move == 'retry' then
    task.run_at = run_at
    set(task, 'run_at', run_at)
  end
  if result ~= '' then set(task, 'result', result) end
  local state = MOVES[move].to
  if state == 'ready' then enter(task, startable(task))
  elseif state == 'scheduled' then enter(task, state)
  else finish(task, state) end
end

local refused, taken = {}, {}
local outcomes = number(ARGV[at])
at = at + 1
for i = 1, outcomes do
  local id, move, errors, result, run_at = unpack(ARGV, at, at + 4)
  local task = load(id)
  if may(task, move) and task.owner == owner then end_attempt(task, move, errors, result, run_at)
  else refused[#refused + 1] = i - 1 end
  at = at + 5
end
settle()
tell(backend)

local function take(id)
  local task = load(id)
  enter(task, 'running', owner)
  task.attempts = number(task.attempts) + 1
  set(task, 'owners', task.owners .. owner .. ' ', 'attempts', task.attempts, 'last_attempted_at', now)
  redis.call('HSETNX', named('task', id), 'started_at', now)
  if task.limit_key ~= '' then note_start(task) end
  taken[#taken + 1] = {id, redis.call('HGETALL', named('task', id))}
end

-- Returns the ids that come first in some queues.
local function first_of(state, lane, count)
  local found = {}
  for _, queue in ipairs(queues) do
    local line = redis.call('ZRANGE', named(state, backend, lane, queue), 0, count - 1, 'WITHSCORES')
    for i = 1, #line, 2 do found[#found + 1] = {tonumber(line[i + 1]), line[i]} end
  end
  if #queues > 1 then
    table.sort(found, function(a, b) return a[1] < b[1] or a[1] == b[1] and a[2] < b[2] end)
  end
  return found
end

for _ = 1, number(ARGV[at]) do
  local lane, count, state = ARGV[at + 1], number(ARGV[at + 2]), ARGV[at + 3]
  local found = first_of(state, lane, count)
  for i = 1, math.min(count, #found) do take(found[i][2]) end
  at = at + 3
end
return {refused, taken}
