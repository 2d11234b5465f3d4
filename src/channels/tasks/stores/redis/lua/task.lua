-- What every script begins with, behind the table MOVES: a task, where its state keeps it, and its moves.
--
-- KEYS[1] begins the names of all keys; the hash tag is in it, so that all are of one slot.
-- ARGV[1] is the time. Times are microseconds since 1970.
local base, now = KEYS[1], ARGV[1]
local NOW = tonumber(now)
local FIELDS = {
  'state', 'backend', 'lane', 'queue', 'priority', 'owner', 'losses', 'run_at', 'limit_key', 'allowance',
  'unique_key', 'counts_for', 'waits_for', 'needs_success', 'attempts', 'owners', 'finished_at'
}
local WAITS_FOR_WORKER = {ready = true, recovered = true}
local HAS_PLACE = {ready = true, recovered = true, running = true}
-- Keys of limits of which a place was freed, or a task has come; and backends whose workers are told.
local changed, told = {}, {}

local function named(...) return table.concat({base, ...}, ':') end
local function number(text) return tonumber(text) or 0 end
local function text(time) return string.format('%.0f', time) end
local function set(task, ...) redis.call('HSET', named('task', task.id), ...) end

local function load(id)
  local values = redis.call('HMGET', named('task', id), unpack(FIELDS))
  if not values[1] then return nil end
  local task = {id = id}
  for i, field in ipairs(FIELDS) do task[field] = values[i] or '' end
  return task
end

-- Returns the sorted set, or the set, that has the tasks of a state.
local function home(task, state)
  if WAITS_FOR_WORKER[state] then
    return named(state, task.backend, task.lane, task.queue), -number(task.priority)
  elseif state == 'limited' then return named('limited', task.limit_key), -number(task.priority)
  elseif state == 'scheduled' then return named('scheduled'), task.run_at
  elseif state == 'blocked' then return named('blocked', task.waits_for)
  elseif state == 'running' then return named('running', task.owner) end
  return named(state), task.finished_at
end

-- Sets of what has tasks at present: of workers that run some, of keys and groups for which some wait.
local function registry(task, state)
  if state == 'running' then return named('owners'), task.owner
  elseif state == 'limited' then return named('limits'), task.limit_key
  elseif state == 'blocked' then return named('groups'), task.waits_for end
end

local function leave(task)
  local place, score = home(task, task.state)
  redis.call(score and 'ZREM' or 'SREM', place, task.id)
  local set_of, name = registry(task, task.state)
  if set_of and redis.call('EXISTS', place) == 0 then redis.call('SREM', set_of, name) end
end

local function keep(task)
  local place, score = home(task, task.state)
  if score then redis.call('ZADD', place, score, task.id) else redis.call('SADD', place, task.id) end
  local set_of, name = registry(task, task.state)
  if set_of then redis.call('SADD', set_of, name) end
  if WAITS_FOR_WORKER[task.state] then redis.call('SADD', named('queues', task.backend), task.queue) end
  if task.state == 'limited' then changed[task.limit_key] = true end
end

-- A place under a limit is the id of a task that is to start or runs: there is nothing to count down.
local function note_place(task, state)
  local key = task.limit_key
  if HAS_PLACE[state] then redis.call('SADD', named('places', key), task.id)
  elseif redis.call('SREM', named('places', key), task.id) == 1 then changed[key] = true end
  redis.call(WAITS_FOR_WORKER[state] and 'SADD' or 'SREM', named('pending', key), task.id)
end

local function enter(task, state, owner)
  if task.limit_key ~= '' then note_place(task, state) end
  leave(task)
  task.state, task.owner = state, owner or ''
  keep(task)
  set(task, 'state', state, 'owner', task.owner)
end

local function may(task, move) return task and MOVES[move].from[task.state] end

-- One that workers were lost with is claimed apart, so that it does not take others with it again.
local function startable(task) return number(task.losses) > 0 and 'recovered' or 'ready' end
local function admissible(task) return task.limit_key ~= '' and 'limited' or startable(task) end

local count_down

local function finish(task, state)
  task.finished_at = now
  enter(task, state)
  set(task, 'finished_at', now)
  if task.unique_key ~= '' then
    redis.call('HDEL', named('unique'), task.unique_key)
    redis.call('HDEL', named('task', task.id), 'unique_key')
  end
  if task.counts_for ~= '' then count_down(task.counts_for, state ~= 'succeeded') end
end

-- Notes that one of a group has ended; after the last one lets run, or cancels, what waits for them.
count_down = function(group, failed)
  local facts = named('group', group)
  if redis.call('EXISTS', facts) == 0 then return end
  local failures = redis.call('HINCRBY', facts, 'failed', failed and 1 or 0)
  if redis.call('HINCRBY', facts, 'remaining', -1) > 0 then return end
  redis.call('DEL', facts)
  for _, id in ipairs(redis.call('SMEMBERS', named('blocked', group))) do
    local task = load(id)
    if failures > 0 and task.needs_success ~= '0' then finish(task, 'cancelled')
    else
      enter(task, number(task.run_at) > NOW and 'scheduled' or admissible(task))
      told[task.backend] = true
    end
  end
end

-- Returns when there may be a start more of a key, or nil: now.
local function late_until(key, count, period)
  local starts, since = named('starts', key), '(' .. text(NOW - period)
  local taken = redis.call('ZCOUNT', starts, since, '+inf') + redis.call('SCARD', named('pending', key))
  if taken < count then return nil end
  local leaves = redis.call('ZRANGEBYSCORE', starts, since, '+inf', 'WITHSCORES', 'LIMIT', taken - count, 1)
  return number(leaves[2] or now) + period
end

local function note_start(task)
  local _, count, period = string.match(task.allowance, '^(%d*) (%d*) (%d*)$')
  if not count or count == '' then return end
  local starts = named('starts', task.limit_key)
  redis.call('ZADD', starts, now, task.id .. ':' .. task.attempts)
  redis.call('ZREMRANGEBYSCORE', starts, '-inf', text(NOW - number(period)))
  redis.call('PEXPIRE', starts, text(number(period) / 1000 + 60000))
end

-- Lets those that wait for a key run, in their order, as far as it has places.
local function admit(key)
  redis.call('ZREM', named('due'), key)
  for _, id in ipairs(redis.call('ZRANGE', named('limited', key), 0, 999)) do
    local task = load(id)
    local most, count, period = string.match(task.allowance, '^(%d*) (%d*) (%d*)$')
    if most ~= '' and redis.call('SCARD', named('places', key)) >= number(most) then return end
    if count ~= '' then
      local due = late_until(key, number(count), number(period))
      if due then return redis.call('ZADD', named('due'), text(due), key) end
    end
    enter(task, startable(task))
    told[task.backend] = true
  end
  if redis.call('EXISTS', named('limited', key)) == 1 then redis.call('ZADD', named('due'), now, key) end
end

-- What every script that moves tasks does in the end.
local function settle()
  local keys = changed
  changed = {}
  for key in pairs(keys) do admit(key) end
end

local function tell(except)
  for backend in pairs(told) do
    if backend ~= except then redis.call('PUBLISH', named('tasks', backend), '') end
  end
end

-- Writes tasks as ARGV has them from a place on: how many, and for each its id, how many texts, and fields with values.
-- One with a unique key that another has is left out. Returns the ids of those there are then.
local function write(at)
  local ids = {}
  local total = number(ARGV[at])
  at = at + 1
  for i = 1, total do
    local id, size = ARGV[at], number(ARGV[at + 1])
    local key = named('task', id)
    ids[i] = id
    if redis.call('EXISTS', key) == 0 then
      redis.call('HSET', key, unpack(ARGV, at + 2, at + 1 + size))
      local task = load(id)
      local other = task.unique_key ~= '' and redis.call('HGET', named('unique'), task.unique_key)
      if other then
        ids[i] = other
        redis.call('DEL', key)
      else
        if task.unique_key ~= '' then redis.call('HSET', named('unique'), task.unique_key, id) end
        if task.counts_for ~= '' then redis.call('SADD', named('members', task.counts_for), id) end
        keep(task)
        redis.call('SADD', named('backends'), task.backend)
        told[task.backend] = true
      end
    end
    at = at + 2 + size
  end
  return ids
end
