-- What the scripts about leases begin with.
--
-- KEYS[1]: a sorted set of topics by when their presence has to be looked at; after a 1 for the first time, a 2
-- for the second. It stands alone: the topics of a cluster are on several servers. It is kept as long as the
-- position of a topic, for a site that is down for days.
local kept = 30 * 86400 * 1000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

