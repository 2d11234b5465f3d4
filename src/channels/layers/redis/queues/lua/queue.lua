-- What every script of a queue begins with: its keys, the time, and what they all do.
--
-- KEYS: ready, taken, leases, held; they share a hash tag. Times are milliseconds of Redis's own clock.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ready, taken, leases, held = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local function entries() return redis.call('LLEN', ready) + redis.call('HLEN', taken) end
local vanished = math.max(0, (tonumber(redis.call('GET', held) or 0)) - entries())
local function note(lifetime)
  local left = entries()
  if left == 0 then redis.call('DEL', held)
  elseif lifetime then redis.call('SET', held, left, 'PX', math.max(3600000, 4 * lifetime))
  else redis.call('SET', held, left, 'XX', 'KEEPTTL') end
  return left
end
local function expires(entry) return tonumber(string.sub(entry, 1, 14)) end
local function entry_of(deadline, id, body) return string.format('%014d', deadline) .. id .. body end
local function drop_expired()
  local dropped = 0
  while true do
    local head = redis.call('LINDEX', ready, 0)
    if not head or expires(head) > now then return dropped end
    redis.call('LPOP', ready)
    dropped = dropped + 1
  end
end
local function return_late(lease)
  local late = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 100)
  for i = #late, 1, -1 do
    local entry = redis.call('HGET', taken, late[i])
    if entry then
      local deadline = math.max(expires(entry), now + lease)
      redis.call('LPUSH', ready, entry_of(deadline, late[i], string.sub(entry, 31)))
    end
    redis.call('HDEL', taken, late[i])
    redis.call('ZREM', leases, late[i])
  end
end
