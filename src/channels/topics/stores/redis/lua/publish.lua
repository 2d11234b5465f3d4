-- KEYS[3]: what an idempotency key led to; only if there is one.
-- ARGV: publication, epoch of a new stream, size, ttl (ms), lifetime of the position (ms), PUBLISH or SPUBLISH,
-- lifetime of the idempotency key (ms), version (19 digits, or empty), epoch of the version.
-- Returns offset and epoch; after an exclamation mark if it was left out.
local seen = KEYS[3] and redis.call('GET', KEYS[3])
if seen then return '!' .. seen end
begin(ARGV[2])
if ARGV[8] and ARGV[8] ~= '' then
  local last = redis.call('HMGET', facts, 'v', 'w')
  if last[1] and last[2] == ARGV[9] and ARGV[8] <= last[1] then
    redis.call('PEXPIRE', facts, ARGV[5])
    return '!' .. offset .. ' ' .. epoch
  end
  redis.call('HSET', facts, 'v', ARGV[8], 'w', ARGV[9])
end
local place = '0 '
if ARGV[3] ~= '0' then
  offset = redis.call('HINCRBY', facts, 'o', 1)
  redis.call('XADD', stream, 'MAXLEN', ARGV[3], offset .. '-' .. now, 'p', ARGV[1])
  redis.call('PEXPIRE', stream, ARGV[4])
  if ttl ~= ARGV[4] then redis.call('HSET', facts, 't', ARGV[4]) end
  place = offset .. ' ' .. epoch
end
redis.call('PEXPIRE', facts, ARGV[5])
if KEYS[3] then redis.call('SET', KEYS[3], place, 'PX', ARGV[7]) end
redis.call(ARGV[6], stream, 'P' .. place .. ' ' .. ARGV[1])
return place
