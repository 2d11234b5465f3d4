-- ARGV: now, how many groups, for each its id and size, tasks. Returns the ids of what is there then.
local at = 3 + 2 * number(ARGV[2])
if redis.call('EXISTS', named('task', ARGV[at + 1])) == 0 then  -- else this runs a second time
  for i = 3, at - 1, 2 do
    redis.call('HSET', named('group', ARGV[i]), 'remaining', ARGV[i + 1], 'failed', 0)
  end
end
local ids = write(at)
settle()
tell()
return ids
