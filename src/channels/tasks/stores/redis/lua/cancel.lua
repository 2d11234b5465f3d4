-- Cancels a task that waits, and asks one that runs to stop; returns what it is then, or ''. ARGV: now, id.
local task = load(ARGV[2])
if may(task, 'cancel') then
  finish(task, 'cancelled')
  settle()
  tell()
  return 'cancelled'
elseif task and task.state == 'running' then
  set(task, 'cancel_at', now)
  return 'running'
end
return ''
