-- ARGV from 3 on: client, its entry, and so on. One whose lease ended just now is renewed before it lapses.
for n = 3, #ARGV, 2 do
  if redis.call('HEXISTS', present, ARGV[n]) == 1 then
    redis.call('ZADD', leases, now + ARGV[2], ARGV[n])
  else
    note(ARGV[n], ARGV[n + 1])
    if is_told(ARGV[n + 1]) then tell('J', ARGV[n + 1]) end
  end
end
drop_lapsed()
keep()
return 1
