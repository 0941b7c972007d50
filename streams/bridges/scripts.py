"""The Lua that guards Redis: a write passes only with a version newer than the companion key's, in one atomic step."""

import hashlib
from typing import NamedTuple


class Script(NamedTuple):
    """A script and the SHA-1 Redis knows it by."""

    text: str
    sha: str


def _script(body: str) -> Script:
    text = _NEWER + body
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


# Versions are "generation version" texts in a hash by source; both numbers stay far below 2^53.
_NEWER = """
local function newer(key, source, version)
  local before = redis.call('HGET', key, source)
  if before then
    local g, v = string.match(before, '(%d+) (%d+)')
    local h, w = string.match(version, '(%d+) (%d+)')
    g, v, h, w = tonumber(g), tonumber(v), tonumber(h), tonumber(w)
    if h < g or (h == g and w <= v) then return false end
  end
  redis.call('HSET', key, source, version)
  return true
end
"""

# KEYS versions, config, portfolio. ARGV source, version, time, count of config texts, those (field, value, ..), calculated texts.
# Answers the config fields that changed, or false where the guard refused.
USER = _script("""
if not newer(KEYS[1], ARGV[1], ARGV[2]) then return false end
local now, last = ARGV[3], 4 + tonumber(ARGV[4])
local changed, write, group_changed = {}, {}, false
for i = 5, last, 2 do
  local before = redis.call('HGET', KEYS[2], ARGV[i])
  if before ~= ARGV[i + 1] then
    changed[#changed + 1] = ARGV[i]
    write[#write + 1] = ARGV[i]
    write[#write + 1] = ARGV[i + 1]
    if ARGV[i] == 'group' and before then group_changed = true end
  end
end
if group_changed then
  write[#write + 1] = 'last_group_update'
  write[#write + 1] = now
end
if #write > 0 then redis.call('HSET', KEYS[2], unpack(write)) end
if #ARGV > last then redis.call('HSET', KEYS[3], unpack(ARGV, last + 1)) end
if redis.call('EXISTS', KEYS[3]) == 1 then
  local wallet = redis.call('HGET', KEYS[2], 'wallet_balance')
  if redis.call('HGET', KEYS[3], 'wallet_balance') ~= wallet then
    redis.call('HSET', KEYS[3], 'wallet_balance', wallet, 'balance_updated_at', redis.call('HGET', KEYS[2], 'last_balance_update'))
  end
  if group_changed then
    redis.call('HSET', KEYS[3], 'group', redis.call('HGET', KEYS[2], 'group'), 'group_updated_at', now)
  end
end
return {changed, group_changed and 1 or 0}
""")

# KEYS balance, its companion. ARGV source, version, balance, seconds to live.
BALANCE = _script("""
if not newer(KEYS[2], ARGV[1], ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
return 1
""")

# KEYS queue, its companion. ARGV source, version, balance, user id, bound. One push a change of the wallet, however often it is replayed.
QUEUE = _script("""
if not newer(KEYS[2], ARGV[1], ARGV[2]) then return 0 end
if redis.call('HGET', KEYS[2], 'wallet_balance') == ARGV[3] then return 0 end
redis.call('HSET', KEYS[2], 'wallet_balance', ARGV[3])
redis.call('LPUSH', KEYS[1], ARGV[4])
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[5]) - 1)
return 1
""")

ALL = (USER, BALANCE, QUEUE)
