-- Returns whether a task of a backend is ready, of any queue. ARGV: now, backend.
for _, queue in ipairs(redis.call('SMEMBERS', named('queues', ARGV[2]))) do
  for _, lane in ipairs({'0', '1'}) do
    for state in pairs(WAITS_FOR_WORKER) do
      if redis.call('EXISTS', named(state, ARGV[2], lane, queue)) == 1 then return 1 end
    end
  end
end
return 0
