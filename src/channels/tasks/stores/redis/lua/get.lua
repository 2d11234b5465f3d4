-- Returns tasks, each as its id and its fields. ARGV: now, ids.
local found = {}
for i = 2, #ARGV do
  local fields = redis.call('HGETALL', named('task', ARGV[i]))
  if #fields > 0 then found[#found + 1] = {ARGV[i], fields} end
end
return found
