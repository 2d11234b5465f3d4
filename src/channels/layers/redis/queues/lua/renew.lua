-- ARGV: lease (ms), ids.
-- Prolongs the leases of those that are still taken.
for i = 2, #ARGV do redis.call('ZADD', leases, 'XX', now + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', taken, 10 * ARGV[1])
return redis.call('PEXPIRE', leases, 10 * ARGV[1])
