-- ARGV: lease (ms).
-- Puts back in front what was taken by somebody whose lease is over, then takes the oldest entry.
-- Returns how many expired, and unless the queue is empty the id and the message.
local lease = tonumber(ARGV[1])
return_late(lease)
local expired = vanished
while true do
  local entry = redis.call('LPOP', ready)
  if not entry then
    note()
    return {expired}
  end
  if expires(entry) > now then
    local id = string.sub(entry, 15, 30)
    redis.call('HSET', taken, id, entry)
    redis.call('ZADD', leases, now + lease, id)
    redis.call('PEXPIRE', taken, 10 * lease)
    redis.call('PEXPIRE', leases, 10 * lease)
    if redis.call('PTTL', ready) == -1 then redis.call('PEXPIRE', ready, 10 * lease) end
    note()
    return {expired, id, string.sub(entry, 31)}
  end
  expired = expired + 1
end
