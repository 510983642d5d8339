-- Store values in a session that the request has not read, and its times if that is due.
--
-- Return the frame as it is stored now; nil, and nothing was written, if the session is absent, a
-- tombstone, expired or not a valid record, if it would be too large, or if that takes too long to
-- find out.  The caller then reads the session and decides by itself.
--
-- KEYS  1 the hash  2 live  3 users
-- ARGV  1 the head, a packed struct of these numbers:
--           now       the time of the request
--           interval  the times are written if they were not for so long, in seconds
--           idle      the configured lifetime, in seconds
--           absolute  the absolute lifetime, in seconds; -1 for none
--           largest   the largest size of all names and values together, in bytes
--       2 the id
--       3… names and values of the fields to store
--
-- As in `update`, all checks precede the first write, and the entries in the sorted sets are written
-- before the hash.

-- The greatest number of stored fields whose sizes are added up: that takes less than a millisecond.
local MOST = 1000
-- `unpack` fails for more than about 8,000 values.  An even number, so no pair is divided.
local CHUNK = 5000
local now, interval, idle, absolute, largest = struct.unpack('>ddddd', ARGV[1])
local flags, ends, user, created, seen, own, identity = parsed(redis.pcall('HGET', KEYS[1], ''))
if not flags or flags >= 4 or ends <= now or redis.call('HLEN', KEYS[1]) > MOST then
    return false
end

local size, put = 0, {}
for at = 3, #ARGV, 2 do
    size = size + #ARGV[at] + #ARGV[at + 1]
    put[ARGV[at]] = true
end
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
    if name ~= '' and not put[name] then
        size = size + #name + redis.call('HSTRLEN', KEYS[1], name)
    end
end
if size > largest then
    return false
end

-- A session with a lifetime of its own has an interval of its own, too.
if now - seen >= (own < 0 and interval or math.min(interval, own / 60)) then
    local ended, reached = ends, now + (own < 0 and idle or own)
    if absolute >= 0 then
        reached = math.min(reached, created + absolute)
    end
    seen, ends = now, math.max(ends, reached)
    local entry, user_entry = entries(ARGV[2], user)
    if user_entry then
        redis.call('ZADD', KEYS[3], 0, user_entry)
    end
    redis.call('ZADD', KEYS[2], ends, entry)
    redis.call('HSET', KEYS[1], '',
        struct.pack('>BBdddd', 1, flags, created, seen, ends, own) .. identity)
    if ends ~= ended then
        redis.call('PEXPIREAT', KEYS[1], (math.ceil(ends) + MARGIN) * 1000)
    end
end
for first = 3, #ARGV, CHUNK do
    redis.call('HSET', KEYS[1], unpack(ARGV, first, math.min(first + CHUNK - 1, #ARGV)))
end
return redis.call('HGET', KEYS[1], '')
