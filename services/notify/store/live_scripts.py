"""What is done in Redis, each in one step: scripts in Lua, of a stop's epoch, meetings and stream.

A held meeting begins with its revision. Repeats and late writes change nothing.
"""

APPLY = """
local epoch = redis.call('GET', KEYS[1])
if not epoch then return {} end
local outcomes = {}
for i = 2, #ARGV, 5 do
  local held = redis.call('HGET', KEYS[2], ARGV[i])
  if held and tonumber(string.match(held, '^%d+')) >= tonumber(ARGV[i + 1]) then
    outcomes[#outcomes + 1] = 'known'
  else
    local entry = ARGV[i + 1] .. ' ' .. ARGV[i + 2] .. '\\n' .. ARGV[i + 4]
    redis.call('HSET', KEYS[2], ARGV[i], entry)
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[1], '*',
      'to', ARGV[i + 3], 'd', ARGV[i + 4], 'e', epoch)
    outcomes[#outcomes + 1] = 'applied'
  end
end
return outcomes
"""

# What a stop holds counts no more. What is missing is filled by whoever reads it next.
FORGET = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""

_FILL = """
local function fill(from)
  for i = from, #ARGV, 2 do
    local held = redis.call('HGET', KEYS[2], ARGV[i])
    if not held
        or tonumber(string.match(held, '^%d+')) < tonumber(string.match(ARGV[i + 1], '^%d+')) then
      redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    end
  end
end
"""

# Of a stop without an epoch nothing counts, so that it may be filled in parts.
FILL_PART = f"""{_FILL}
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
fill(1)
return 1
"""

# The last meetings and the new epoch in one step: nobody sees the one without the other. The entry
# in the stream, which has no meeting, tells those who listen that they must start anew. Too few
# meetings are there when Redis was wiped after the parts before.
REBUILD = f"""{_FILL}
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
fill(5)
if redis.call('HLEN', KEYS[2]) < tonumber(ARGV[4]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', 'e', ARGV[2])
return 1
"""

CATCH_UP = """
local epoch = redis.call('GET', KEYS[1])
if not epoch then return {} end
local function is_before(a, b)
  local a1, a2 = string.match(a, '^(%d+)-(%d+)$')
  local b1, b2 = string.match(b, '^(%d+)-(%d+)$')
  if a1 ~= b1 then return tonumber(a1) < tonumber(b1) end
  return tonumber(a2) < tonumber(b2)
end
local function edge(command, from, to)
  local found = redis.call(command, KEYS[3], from, to, 'COUNT', 1)
  return found[1] and found[1][1] or '0-0'
end
local last = edge('XREVRANGE', '+', '-')
if ARGV[1] == epoch and not is_before(ARGV[2], edge('XRANGE', '-', '+'))
    and not is_before(last, ARGV[2]) then
  local most = tonumber(ARGV[4])
  local missed = redis.call('XRANGE', KEYS[3], '(' .. ARGV[2], '+', 'COUNT', most + 1)
  if #missed <= most then
    local found = {}
    for _, entry in ipairs(missed) do
      local to, d = entry[2][2], entry[2][4]
      if d and (ARGV[3] == '' or string.find(to, ARGV[3], 1, true)) then
        found[#found + 1] = entry[1]
        found[#found + 1] = d
      end
    end
    return {epoch, last, 'replay', found}
  end
end
local found = {}
for _, held in ipairs(redis.call('HVALS', KEYS[2])) do
  local line = string.find(held, '\\n', 1, true)
  if ARGV[3] == '' or string.find(string.sub(held, 1, line), ARGV[3], 1, true) then
    found[#found + 1] = string.sub(held, line + 1)
  end
end
return {epoch, last, 'snapshot', found}
"""

REVISIONS = """
local found = {redis.call('GET', KEYS[1]) or ''}
local held = redis.call('HGETALL', KEYS[2])
for i = 1, #held, 2 do
  found[#found + 1] = held[i]
  found[#found + 1] = string.match(held[i + 1], '^%d+')
end
return found
"""
