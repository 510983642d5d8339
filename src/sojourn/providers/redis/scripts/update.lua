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
        return redis.call('HMGET', KEYS[1], unpack(ARGV, first, last))
    end
    local values = {}
    for at = first, last do
        values[at - first + 1] = redis.call('HGET', KEYS[1], ARGV[at])
    end
    return values
end

-- What stands, and whether it is as expected.
local values = held(3, values_at - 1)
local frame = values[1]
if not frame then
    return -redis.call('EXISTS', KEYS[1])
end
if #frame < 38 or string.byte(frame) ~= 1 then
    return -1
end
local _, flags, created, seen, ends, own, length, user_at = struct.unpack('>BBddddI4', frame)
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

-- Its entries in the sorted sets.
local entry, user_entry = id, nil
if flags >= 2 then
    local user = string.sub(frame, user_at, user_at + length - 1)
    entry, user_entry = id .. '\0' .. user, user .. '\0' .. id
end

-- Whether anything would be left.
if puts == 0 and (move == 1 or move == 0 and flags < 2) then
    local left = 0
    if clear == 0 then
        left = redis.call('HLEN', KEYS[1]) - 1
        for at = drops_at, move_at - 1 do
            left = left - redis.call('HEXISTS', KEYS[1], ARGV[at])
        end
    end
    if left == 0 then
        redis.call('ZREM', KEYS[2], entry)
        if user_entry then
            redis.call('ZREM', KEYS[3], user_entry)
        end
        redis.call('DEL', KEYS[1])
        return 2
    end
end
if move > 0 and redis.call('EXISTS', KEYS[5]) == 1 then
    return -2
end

-- From here on it is written.  The session moves with all that it holds.
local key, identity = KEYS[1], string.sub(frame, user_at - 4)
local persistent, user_flag = flags % 2, flags - flags % 2
local old_ends = ends
if move > 0 then
    local new_id, until_ = ARGV[move_at], ARGV[move_at + 2]
    key, identity, user_flag = KEYS[5], ARGV[move_at + 1], 0
    redis.call('ZREM', KEYS[2], entry)
    redis.call('ZADD', KEYS[4], until_, id)
    if user_entry then
        redis.call('ZREM', KEYS[3], user_entry)
    end
    entry = new_id
    if move == 2 then
        local user = string.sub(identity, 5, 4 + struct.unpack('>I4', identity))
        entry, user_flag = new_id .. '\0' .. user, 2
        redis.call('ZADD', KEYS[3], 0, user .. '\0' .. new_id)
    end
    redis.call('RENAME', KEYS[1], key)
    local tombstone = struct.pack('>BBddddI4', 1, 4, created, seen, until_, -1, 0) .. new_id
    redis.call('HSET', KEYS[1], '', tombstone)
    redis.call('PEXPIREAT', KEYS[1], ARGV[move_at + 3])
end

-- The times.  Only a lifetime set on purpose may shorten anything (kept: 0 or 1, else 2).
if expires >= 0 and (kept < 2 or lifetime == own) then
    seen = math.max(seen, now)
    ends = kept < 2 and expires or math.max(ends, expires)
end
if kept < 2 then
    own, persistent = lifetime, kept
end
if move > 0 or ends ~= old_ends then
    redis.call('ZADD', KEYS[2], ends, entry)
end

-- The fields and the frame.
if clear == 1 then
    redis.call('DEL', key)
end
in_chunks('HDEL', key, drops_at, move_at - 1)
in_chunks('HSET', key, puts_at, #ARGV)
if move > 0 or clear == 1 or expires >= 0 or kept < 2 then
    local numbers = struct.pack('>BBdddd', 1, persistent + user_flag, created, seen, ends, own)
    redis.call('HSET', key, '', numbers .. identity)
end
if clear == 1 or ends ~= old_ends then
    redis.call('PEXPIREAT', key, (math.ceil(ends) + MARGIN) * 1000)
end
return 1
