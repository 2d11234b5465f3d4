-- Takes the tasks of a worker that is dead, if it has not beaten since.
-- ARGV: now, owner, its beats as they were (-1: not known), the loss with which a task becomes a dead letter, what is
-- recorded of that, as JSON. Returns how many may run again, and the ids of those that may not.
local owner, beats = ARGV[2], number(ARGV[3])
if beats >= 0 then
  if redis.call('HGET', named('worker', owner), 'beats') ~= ARGV[3] then return {0, {}} end
  redis.call('DEL', named('worker', owner))
  redis.call('ZREM', named('workers'), owner)
end
local again, dead = 0, {}
for _, id in ipairs(redis.call('SMEMBERS', named('running', owner))) do
  local task = load(id)
  task.losses = number(task.losses) + 1
  set(task, 'losses', task.losses)
  told[task.backend] = true
  if task.losses < number(ARGV[4]) then
    enter(task, MOVES['recover'].to)
    again = again + 1
  else
    local errors = redis.call('HGET', named('task', id), 'errors') or '[]'
    errors = errors == '[]' and '[' or string.sub(errors, 1, -2) .. ','
    set(task, 'errors', errors .. ARGV[5] .. ']')
    finish(task, MOVES['bury'].to)
    dead[#dead + 1] = id
  end
end
settle()
tell()
return {again, dead}
