-- Forgets workers that have not beaten since a time and run nothing. ARGV: now, the time.
for _, owner in ipairs(redis.call('ZRANGEBYSCORE', named('workers'), '-inf', '(' .. ARGV[2], 'LIMIT', 0, 1000)) do
  if redis.call('EXISTS', named('running', owner)) == 0 then
    redis.call('DEL', named('worker', owner))
    redis.call('ZREM', named('workers'), owner)
  end
end
return 1
