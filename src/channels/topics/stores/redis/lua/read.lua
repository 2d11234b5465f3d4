-- ARGV: epoch of a new stream, lifetime of its position (ms), XRANGE or XREVRANGE, first and last id, amount.
-- Returns offset and epoch, then id and publication of each entry.
if begin(ARGV[1]) and redis.call('PTTL', facts) == -1 then redis.call('PEXPIRE', facts, ARGV[2]) end
local page = {offset .. ' ' .. epoch}
if ARGV[6] == '0' then return page end

local function is_old(entry) return tonumber(string.match(entry[1], '%d+$')) + ttl <= now end
local amount = 1
while ttl do
  local entries = redis.call('XRANGE', stream, '-', '+', 'COUNT', amount)
  local old = 0
  while entries[old + 1] and is_old(entries[old + 1]) do old = old + 1 end
  if old > 0 then redis.call('XTRIM', stream, 'MAXLEN', redis.call('XLEN', stream) - old) end
  if old < amount then break end
  amount = 100
end
for _, entry in ipairs(redis.call(ARGV[3], stream, ARGV[4], ARGV[5], 'COUNT', ARGV[6])) do
  page[#page + 1] = entry[1]
  page[#page + 1] = entry[2][2]
end
return page
