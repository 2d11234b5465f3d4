-- ARGV[1]: the lease (ms); then topics in which a presence entry is made or renewed.
for n = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], '1' .. ARGV[n]) end
redis.call('PEXPIRE', KEYS[1], kept)
return 1
