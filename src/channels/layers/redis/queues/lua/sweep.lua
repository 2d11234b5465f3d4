-- ARGV: lease (ms), expiry (ms).
-- Drops what has expired though nobody takes or sends any more.
-- Returns how many expired, and how many are left, those that somebody is working on included.
return_late(tonumber(ARGV[1]))
local expired = vanished + drop_expired()
if redis.call('EXISTS', ready) == 1 then redis.call('PEXPIRE', ready, 2 * ARGV[2]) end
return {expired, note(ARGV[2])}
