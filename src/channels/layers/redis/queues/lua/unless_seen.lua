-- Before add.lua, for a group's message: its id is the same whoever forwards it, so it is added once.
--
-- KEYS[5]: a sorted set of the ids seen lately.
local seen = KEYS[5]
redis.call('ZREMRANGEBYSCORE', seen, '-inf', now - 60000)
if redis.call('ZADD', seen, 'NX', now, ARGV[1]) == 0 then return {1, 0} end
redis.call('PEXPIRE', seen, 60000)
