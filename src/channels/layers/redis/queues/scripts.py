"""What happens in Redis in one step, for the queues of named channels.

A queue is five keys: ``ready``, a list of entries; ``taken``, a hash of the entries that
somebody is working on; ``leases``, a sorted set of until when; ``held``, how many entries there
are; ``seen``, the ids of group messages forwarded lately. Redis drops ``ready`` and ``taken`` with
all that is in them when nobody has come for long; ``held`` outlives them, so that whoever comes
next knows how many messages that were. Lists and a hash rather than
streams with consumer groups: capacity and expiry are those of unread messages, an
acknowledged entry is gone at once, a worker needs no name, and Redis 6.0 has all of it.

An entry is the time it expires (14 digits, milliseconds), its id (16 bytes) and the message.
Times are Redis's own, so that the clocks of the machines do not matter. Every script names
the keys it uses, and they share a hash tag.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

_NOW: Final = """
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
"""


class Script:
    """A script and the name under which Redis remembers it.

    Args:
        body: Lua, after the definitions all scripts share.
    """

    def __init__(self, body: str) -> None:
        self.text = _NOW + body
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def by_name(self, keys: tuple[str, ...], *args: Any) -> tuple[Any, ...]:
        """Return the command that runs it if Redis knows it already."""
        return ("EVALSHA", self.sha, len(keys), *keys, *args)

    def by_text(self, keys: tuple[str, ...], *args: Any) -> tuple[Any, ...]:
        """Return the command that runs it in any case."""
        return ("EVAL", self.text, len(keys), *keys, *args)


#: ARGV: id, message, capacity, expiry (ms), PUBLISH or SPUBLISH, topic.
#: Returns 1 if it was added, 0 if the queue is full; and how many expired.
_ADD: Final = """
local expired = vanished + drop_expired()
if redis.call('LLEN', ready) >= tonumber(ARGV[3]) then
  note(ARGV[4])
  return {0, expired}
end
redis.call('RPUSH', ready, entry_of(now + ARGV[4], ARGV[1], ARGV[2]))
redis.call('PEXPIRE', ready, 2 * ARGV[4])
note(ARGV[4])
redis.call(ARGV[5], ARGV[6], '1')
return {1, expired}
"""
SEND: Final = Script(_ADD)

#: The same for a group's message, whose id is the same whoever forwards it: added once. A set of
#: the ids seen lately is kept in a fifth key.
FORWARD: Final = Script(
    """
local seen = KEYS[5]
redis.call('ZREMRANGEBYSCORE', seen, '-inf', now - 60000)
if redis.call('ZADD', seen, 'NX', now, ARGV[1]) == 0 then return {1, 0} end
redis.call('PEXPIRE', seen, 60000)
"""
    + _ADD
)

#: ARGV: lease (ms). What was taken by somebody whose lease is over is first put back in front.
#: Returns how many expired, and unless the queue is empty the id and the message.
TAKE: Final = Script("""
local lease = tonumber(ARGV[1])
return_late(lease)
local expired = vanished
while true do
  local entry = redis.call('LPOP', ready)
  if not entry then
    note()
    return {expired}
  end
  if expires(entry) > now then
    local id = string.sub(entry, 15, 30)
    redis.call('HSET', taken, id, entry)
    redis.call('ZADD', leases, now + lease, id)
    redis.call('PEXPIRE', taken, 10 * lease)
    redis.call('PEXPIRE', leases, 10 * lease)
    if redis.call('PTTL', ready) == -1 then redis.call('PEXPIRE', ready, 10 * lease) end
    note()
    return {expired, id, string.sub(entry, 31)}
  end
  expired = expired + 1
end
""")

#: ARGV: lease, expiry (ms). Drops what has expired though nobody takes or sends any more.
#: Returns how many expired, and how many are left, those that somebody is working on included.
SWEEP: Final = Script("""
return_late(tonumber(ARGV[1]))
local expired = vanished + drop_expired()
if redis.call('EXISTS', ready) == 1 then redis.call('PEXPIRE', ready, 2 * ARGV[2]) end
return {expired, note(ARGV[2])}
""")

#: ARGV: ids. Returns how many expired, and how many of the ids were there.
ACKNOWLEDGE: Final = Script("""
redis.call('ZREM', leases, unpack(ARGV))
local done = redis.call('HDEL', taken, unpack(ARGV))
note()
return {vanished, done}
""")

#: ARGV: lease (ms), ids. Prolongs the leases of those still taken.
RENEW: Final = Script("""
for i = 2, #ARGV do redis.call('ZADD', leases, 'XX', now + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', taken, 10 * ARGV[1])
return redis.call('PEXPIRE', leases, 10 * ARGV[1])
""")

#: ARGV: id, message, expiry (ms), PUBLISH or SPUBLISH, topic. Puts it back in front.
#: Returns how many expired.
GIVE_BACK: Final = Script("""
redis.call('ZREM', leases, ARGV[1])
redis.call('HDEL', taken, ARGV[1])
redis.call('LPUSH', ready, entry_of(now + ARGV[3], ARGV[1], ARGV[2]))
redis.call('PEXPIRE', ready, 2 * ARGV[3])
note(ARGV[3])
redis.call(ARGV[4], ARGV[5], '1')
return {vanished}
""")
