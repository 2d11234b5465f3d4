-- What the scripts of presence begin with.
--
-- KEYS: the stream, whose name is the channel; who is present, a hash of client to entry; until when, a sorted
-- set; how many clients each user has, a hash. They share a hash tag.
-- ARGV[1]: PUBLISH or SPUBLISH. ARGV[2]: the lease (ms), where there is one.
-- An entry is 1 or 0, whether others are told; the length of the user's id, 6 digits; the id; the client's record.
local channel, present, leases, users = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function end_of_user(entry) return 7 + tonumber(string.sub(entry, 2, 7)) end
local function user_of(entry) return string.sub(entry, 8, end_of_user(entry)) end
local function tell(kind, entry)
  redis.call(ARGV[1], channel, kind .. string.sub(entry, end_of_user(entry) + 1))
end
local function is_told(entry) return string.sub(entry, 1, 1) == '1' end

local function forget(client)
  local entry = redis.call('HGET', present, client)
  redis.call('ZREM', leases, client)
  if not entry then return nil end
  redis.call('HDEL', present, client)
  local user = user_of(entry)
  if redis.call('HINCRBY', users, user, -1) <= 0 then redis.call('HDEL', users, user) end
  return entry
end

local function note(client, entry)
  redis.call('HSET', present, client, entry)
  redis.call('HINCRBY', users, user_of(entry), 1)
  redis.call('ZADD', leases, now + ARGV[2], client)
end

local function keep()
  local lifetime = 4 * ARGV[2]
  for _, key in ipairs({present, leases, users}) do
    if redis.call('PTTL', key) < lifetime then redis.call('PEXPIRE', key, lifetime) end
  end
end

local function drop_lapsed()
  repeat
    local lapsed = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 100)
    for _, client in ipairs(lapsed) do
      local entry = forget(client)
      if entry and is_told(entry) then tell('L', entry) end
    end
  until #lapsed < 100
end
