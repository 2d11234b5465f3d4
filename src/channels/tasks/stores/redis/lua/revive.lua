-- Lets a task that has failed, or was cancelled, run again; returns whether there is one. ARGV: now, id.
local task = load(ARGV[2])
if not may(task, 'revive') then return 0 end
task.losses, task.run_at = 0, now
redis.call('HDEL', named('task', task.id), 'losses', 'cancel_at')
set(task, 'run_at', now)
enter(task, admissible(task))
redis.call('HDEL', named('task', task.id), 'finished_at')
told[task.backend] = true
settle()
tell()
return 1
