-- Makes ready what is due, a thousand at most, and looks at limits whose time has come.
-- Returns how many, and when the next is due; '' if none is.
local count = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', named('scheduled'), '-inf', now, 'LIMIT', 0, 1000)) do
  local task = load(id)
  enter(task, admissible(task))
  count = count + 1
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', named('due'), '-inf', now, 'LIMIT', 0, 1000)) do
  changed[key] = true
  count = count + 1
end
settle()
local next_due = ''
for _, name in ipairs({'scheduled', 'due'}) do
  local first = redis.call('ZRANGE', named(name), 0, 0, 'WITHSCORES')[2]
  if first and (next_due == '' or number(first) < number(next_due)) then next_due = text(number(first)) end
end
return {count, next_due}
