"""The Lua that guards Redis: a write passes only with a version newer than the companion key's, in one atomic step."""

import hashlib
from typing import NamedTuple


class Script(NamedTuple):
    """A script and the SHA-1 Redis knows it by."""

    text: str
    sha: str


def _script(body: str) -> Script:
    text = _AGE + body
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def _many(body: str) -> Script:
    """A script of many calls at once: the keys of all, one after the other, and msgpack of the arguments of each; so are its answers."""
    return _script(f"local function once(KEYS, ARGV){body}end{_EACH}")


# Versions are "generation version" texts in a hash by source; both numbers stay far below 2^53. 1: newer, 0: the same again, -1: older.
_AGE = """
local function age(before, version)
  if not before then return 1 end
  local g, v = string.match(before, '(%d+) (%d+)')
  local h, w = string.match(version, '(%d+) (%d+)')
  g, v, h, w = tonumber(g), tonumber(v), tonumber(h), tonumber(w)
  if h == g and w == v then return 0 end
  if h < g or (h == g and w < v) then return -1 end
  return 1
end
local function newer(key, source, version)
  if age(redis.call('HGET', key, source), version) < 1 then return false end
  redis.call('HSET', key, source, version)
  return true
end
"""

# A call may be of a whole server for all its users: what one call raises is the answer to that call.
_EACH = """
local calls, answers = cmsgpack.unpack(ARGV[1]), {}
local count = #KEYS / #calls
for number, arguments in ipairs(calls) do
  local passed, answer = pcall(once, {unpack(KEYS, (number - 1) * count + 1, number * count)}, arguments)
  if not passed then answer = {err = type(answer) == 'table' and answer.err or answer} end
  answers[number] = answer
end
return cmsgpack.pack(answers)
"""

# KEYS versions, config, portfolio. ARGV source, version, time, symbols, operations, calculated_at, count of fields, those, their values,
# calculated (field, value, ..). Answers (config fields that changed, group changed, symbols, operations before), or false where the guard
# refused. Until SETTLE `symbols` may name more than are held, and `operations` is behind: who dies between leaves word of what is to do.
USER = _many("""
local known = redis.call('HMGET', KEYS[1], ARGV[1], 'symbols', 'operations')
local passed = age(known[1], ARGV[2])
if passed < 0 then return false end
local symbols, operations = known[2] or '', known[3] or '0'
if passed == 0 then return {{}, 0, symbols, operations} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if symbols ~= ARGV[4] then redis.call('HSET', KEYS[1], 'symbols', symbols .. '\\31' .. ARGV[4]) end
local count = tonumber(ARGV[7])
local last = 7 + 2 * count
local before = redis.call('HMGET', KEYS[2], unpack(ARGV, 8, 7 + count))
local changed, write, group_changed = {}, {}, false
for i = 1, count do
  if before[i] ~= ARGV[7 + count + i] then
    local field = ARGV[7 + i]
    changed[#changed + 1] = field
    write[#write + 1] = field
    write[#write + 1] = ARGV[7 + count + i]
    if field == 'group' and before[i] then group_changed = true end
  end
end
if group_changed then
  write[#write + 1] = 'last_group_update'
  write[#write + 1] = ARGV[3]
end
if operations ~= ARGV[5] then
  write[#write + 1] = 'last_admin_update'
  write[#write + 1] = ARGV[3]
end
if #write > 0 then redis.call('HSET', KEYS[2], unpack(write)) end
local there = redis.call('HMGET', KEYS[3], 'calculated_at', 'wallet_balance')
local is_there = there[1] or there[2] or redis.call('EXISTS', KEYS[3]) == 1
if #ARGV > last and (not there[1] or there[1] < ARGV[6]) then
  redis.call('HSET', KEYS[3], unpack(ARGV, last + 1))
  is_there = true
end
if is_there then
  local now = redis.call('HMGET', KEYS[2], 'wallet_balance', 'last_balance_update', 'group')
  if there[2] ~= now[1] then redis.call('HSET', KEYS[3], 'wallet_balance', now[1], 'balance_updated_at', now[2]) end
  if group_changed then redis.call('HSET', KEYS[3], 'group', now[3], 'group_updated_at', ARGV[3]) end
end
return {changed, group_changed and 1 or 0, symbols, operations}
""")

# KEYS balance, its companion. ARGV source, version, balance, seconds to live.
BALANCE = _many("""
if not newer(KEYS[2], ARGV[1], ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
return 1
""")

# KEYS queue, its companion. ARGV source, version, balance, user id, bound. One push a change of the wallet, however often it is replayed.
QUEUE = _many("""
if not newer(KEYS[2], ARGV[1], ARGV[2]) then return 0 end
if redis.call('HGET', KEYS[2], 'wallet_balance') == ARGV[3] then return 0 end
redis.call('HSET', KEYS[2], 'wallet_balance', ARGV[3])
redis.call('LPUSH', KEYS[1], ARGV[4])
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[5]) - 1)
return 1
""")

# KEYS set, its companion. ARGV user, version, 1 to be in it or 0. The same version again does the same again.
HOLDER = _script("""
if age(redis.call('HGET', KEYS[2], ARGV[1]), ARGV[2]) < 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return redis.call(ARGV[3] == '1' and 'SADD' or 'SREM', KEYS[1], ARGV[1])
""")

# KEYS versions. ARGV source, version, symbols, operations: all is as this version says, unless a newer one came meanwhile.
SETTLE = _script("""
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'symbols', ARGV[3], 'operations', ARGV[4])
return 1
""")

# KEYS hash, its companion. ARGV (user, field for a new user, version, value)*. Who is there under its typed name stays there. Answers how
# many changed.
SHARED = _many("""
local count = 0
for i = 1, #ARGV, 4 do
  local user, field = ARGV[i], ARGV[i + 1]
  if age(redis.call('HGET', KEYS[2], user), ARGV[i + 2]) >= 0 then
    redis.call('HSET', KEYS[2], user, ARGV[i + 2])
    if field ~= user and redis.call('HEXISTS', KEYS[1], user) == 1 then field = user end
    if redis.call('HGET', KEYS[1], field) ~= ARGV[i + 3] then
      redis.call('HSET', KEYS[1], field, ARGV[i + 3])
      count = count + 1
    end
  end
end
return count
""")

# KEYS versions, portfolio, config. ARGV source, version, calculated_at, (field, value)*. Figures never go back in time.
PORTFOLIO = _many("""
if not newer(KEYS[1], ARGV[1], ARGV[2]) then return 0 end
local there = redis.call('HMGET', KEYS[2], 'calculated_at', 'wallet_balance')
if there[1] and there[1] > ARGV[3] then return 0 end
redis.call('HSET', KEYS[2], 'calculated_at', ARGV[3], unpack(ARGV, 4))
if not there[2] then
  local now = redis.call('HMGET', KEYS[3], 'wallet_balance', 'last_balance_update')
  if now[1] then redis.call('HSET', KEYS[2], 'wallet_balance', now[1], 'balance_updated_at', now[2] or '') end
end
return 1
""")

# ARGV channel, message.
TELL = _many("""
return redis.call('PUBLISH', ARGV[1], ARGV[2])
""")

# KEYS hash, its companion. ARGV source, version, bid, ask, time.
MARKET = _many("""
if not newer(KEYS[2], ARGV[1], ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'bid', ARGV[3], 'ask', ARGV[4], 'ts', ARGV[5])
return 1
""")

# KEYS companion, keys of its slot. ARGV source, version, further sources: all of it is forgotten, unless a newer version came meanwhile.
FORGET = _script("""
if age(redis.call('HGET', KEYS[1], ARGV[1]), ARGV[2]) < 0 then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1], unpack(ARGV, 3))
for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end
return 1
""")

# KEYS lease. ARGV holder, milliseconds. 1 where the lease is the holder's now.
LEASE = _script("""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
""")

# KEYS lease. ARGV holder. Gives back what is the holder's own.
RELEASE = _script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
""")

# KEYS waiting, now. Who waits is taken, beside whom a pass before did not finish.
TAKE = _script("""
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('SUNIONSTORE', KEYS[2], KEYS[2], KEYS[1])
  redis.call('DEL', KEYS[1])
end
return redis.call('SMEMBERS', KEYS[2])
""")

ALL = (USER, BALANCE, QUEUE, HOLDER, SETTLE, SHARED, PORTFOLIO, TELL, MARKET, FORGET, TAKE, LEASE, RELEASE)
