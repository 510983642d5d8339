-- Apply changes to what stands: 1 applied, 2 emptied, 0 gone, -1 unreadable, -2 the new id is
-- taken; or, where what stands differs from what is expected, its names and values.
--
-- KEYS  1 the hash  2 live  3 users, and for a move  4 retired  5 the hash to come
-- ARGV  1 the head, as it is unpacked below  2 the id
--       the name of the frame; names that must still hold what is given; names that must not exist
--       what the former hold
--       names to drop
--       for a move: the new id, its identity, when the tombstone expires, that for Redis in ms
--       names and values to put
--
-- Nothing is written before everything is checked, and then the sorted sets come first.
local CHUNK = 5000  -- `unpack` fails at about 8,000
local MARGIN = 60
local FORGOTTEN_AFTER = 3600
local now, expires, lifetime, kept, clear, move, equal, absent, drops =
    struct.unpack('>dddBBBI4I4I4', ARGV[1])
local id = ARGV[2]
local values_at = 4 + equal + absent
local drops_at = values_at + equal
local move_at = drops_at + drops
local puts_at = move > 0 and move_at + 4 or move_at
local puts = #ARGV - puts_at + 1

local function in_chunks(command, key, first, last)
    for from = first, last, CHUNK do
        redis.call(command, key, unpack(ARGV, from, math.min(from + CHUNK - 1, last)))
    end
end

local function held(first, last)
    if last - first < CHUNK then
        return redis.pcall('HMGET', KEYS[1], unpack(ARGV, first, last))
    end
    local values = {}
    for at = first, last do
        values[at - first + 1] = redis.pcall('HGET', KEYS[1], ARGV[at])
    end
    return values
end

-- What stands, and whether it is as expected.
local values = held(3, values_at - 1)
local flags, ends, user, created, seen, own, identity = parsed(values[1])
if not flags then
    return -redis.call('EXISTS', KEYS[1])
end
if flags >= 4 or ends <= now then
    return 0
end
for at = 1, equal do
    if values[1 + at] ~= ARGV[values_at + at - 1] then
        return redis.call('HGETALL', KEYS[1])
    end
end
for at = 2 + equal, 1 + equal + absent do
    if values[at] then
        return redis.call('HGETALL', KEYS[1])
    end
end
local entry, user_entry = entries(id, user)

-- Whether anything would be left.
if puts == 0 and (move == 1 or move == 0 and not user) then
    local left = 0
    if clear == 0 then
        left = redis.call('HLEN', KEYS[1]) - 1
        for at = drops_at, move_at - 1 do
            left = left - redis.call('HEXISTS', KEYS[1], ARGV[at])
        end
    end
    if left == 0 then
        if user_entry then
            redis.call('ZREM', KEYS[3], user_entry)
        end
        redis.call('ZREM', KEYS[2], entry)
        redis.call('DEL', KEYS[1])
        return 2
    end
end
if move > 0 and redis.call('EXISTS', KEYS[5]) == 1 then
    return -2
end

-- The times to come.  Only a lifetime set on purpose may shorten anything (kept: 0 or 1, else 2).
local persistent, seen_before, ended = flags % 2, seen, ends
if expires >= 0 and (kept < 2 or lifetime == own) then
    seen = math.max(seen, now)
    ends = kept < 2 and expires or math.max(ends, expires)
end
if kept < 2 then
    own, persistent = lifetime, kept
end

-- From here on it is written.  A session that moves takes along all that it holds.
local key = KEYS[1]
if move > 0 then
    local new_id, until_ = ARGV[move_at], ARGV[move_at + 2]
    key, identity = KEYS[5], ARGV[move_at + 1]
    user = move == 2 and string.sub(identity, 5, 4 + struct.unpack('>I4', identity)) or nil
    local old_entry, old_user_entry = entry, user_entry
    entry, user_entry = entries(new_id, user)
    redis.call('ZADD', KEYS[4], until_, id)
    redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - FORGOTTEN_AFTER)
    if old_user_entry then
        redis.call('ZREM', KEYS[3], old_user_entry)
    end
    redis.call('ZREM', KEYS[2], old_entry)
    redis.call('RENAME', KEYS[1], key)
    redis.call('HSET', KEYS[1], '',
        struct.pack('>BBddddI4', 1, 4, created, seen_before, until_, -1, 0) .. new_id)
    redis.call('PEXPIREAT', KEYS[1], ARGV[move_at + 3])
end
if move > 0 or ends ~= ended then
    if user_entry then
        redis.call('ZADD', KEYS[3], 0, user_entry)
    end
    redis.call('ZADD', KEYS[2], ends, entry)
end
if clear == 1 then
    redis.call('DEL', key)
end
in_chunks('HDEL', key, drops_at, move_at - 1)
in_chunks('HSET', key, puts_at, #ARGV)
if move > 0 or clear == 1 or expires >= 0 or kept < 2 then
    local bits = persistent + (user and 2 or 0)
    redis.call('HSET', key, '',
        struct.pack('>BBdddd', 1, bits, created, seen, ends, own) .. identity)
end
if clear == 1 or ends ~= ended then
    redis.call('PEXPIREAT', key, (math.ceil(ends) + MARGIN) * 1000)
end
return 1
