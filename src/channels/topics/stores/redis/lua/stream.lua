-- What the scripts of a stream begin with: where it is, and which one it is.
--
-- KEYS: the stream; its facts, a hash of e (epoch), h (the history of the server that it was written in),
-- o (offset), t (ttl, ms), v and w (the last version and its epoch). They share a hash tag.
-- A server that takes over from another, or starts anew, begins a history of its own. It may have lost
-- what others have seen, and would give its number to something else: that is another epoch.
local stream, facts = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local known = redis.call('HMGET', facts, 'e', 'h', 'o', 't')
local epoch, offset, ttl = known[1], known[3], known[4]

local function begin(candidate)
  if epoch and known[2] == history then return false end
  redis.call('HSET', facts, 'e', candidate, 'h', history)
  if not epoch then
    redis.call('DEL', stream)
    redis.call('HSET', facts, 'o', 0)
    offset = '0'
  end
  epoch = candidate
  return true
end
