-- Apply the changes of one request to a session, with an optional move to a new id.
--
-- Return  1  applied
--         2  emptied: the changes left no fields and no user, so the session was deleted
--         0  gone: the session is absent, a tombstone or expired; nothing was written
--        -1  the key holds something that is not a valid record; nothing was written
--        -2  something is stored under the new id of a move already; nothing was written
--         a list of names and values: all of the stored hash, since a field differs from the
--         expected value; nothing was written
--
-- KEYS  1 the hash  2 live  3 users, and for a move  4 retired  5 the hash under the new id
-- ARGV  1 the head, a packed struct of these numbers:
--           now       the time of the request
--           expires   the new expiry; -1 leaves the times unchanged
--           lifetime  the lifetime set for this session, in seconds; -1 for none
--           kept      the new value of the flag `persistent`, 0 or 1, if the request sets the
--                     lifetime on purpose; 2 if it does not
--           clear     1 to delete all fields first, else 0
--           move      0 no move, 1 a move to a session without a user, 2 to one with a user
--           equal     how many fields must have an expected value
--           absent    how many fields must not exist
--           drops     how many fields to delete
--       2 the id
--       and from 3 on, in this order:
--         the name of the frame; `equal` names; `absent` names
--         `equal` values: the expected ones
--         `drops` names
--         for a move: the new id; the identity of the new frame (see frame.lua); the expiry of the
--             tombstone; the time at which Redis deletes the tombstone by itself, in milliseconds
--         names and values of the fields to store
--
-- A script that fails is not rolled back.  Therefore all checks precede the first write, and new
-- entries are added to the sorted sets before anything else is written: if another program uses the
-- name of a sorted set for another type, ZADD fails while the session is still as it was.  Old
-- entries are removed with `pcall`, since such a key does not contain them.

-- `unpack` fails for more than about 8,000 values.  An even number, so no pair is divided.
local CHUNK = 5000
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

-- Return the values of the fields that ARGV names from `first` to `last`; false for an absent one.
-- If the key is not a hash, `pcall` returns an error in place of values, so the frame is nil.
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

-- Read the frame and the expected fields, and compare.  values[1] is the frame.
local values = held(3, values_at - 1)
local flags, ends, user, created, seen, own, identity = parsed(values[1])
if not flags then
    -- 0 if the key is absent, and -1 if it exists but has no valid frame.
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

-- Delete the session if no field and no user would be left.  HLEN counts the frame as well.  The
-- names to drop are distinct; a name that occurred twice would be subtracted twice.
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
            redis.pcall('ZREM', KEYS[3], user_entry)
        end
        redis.pcall('ZREM', KEYS[2], entry)
        redis.call('DEL', KEYS[1])
        return 2
    end
end
if move > 0 and redis.call('EXISTS', KEYS[5]) == 1 then
    return -2
end

-- Compute the new times.  If another request has set another lifetime since this one read the
-- session, `expires` was computed with an outdated lifetime and is ignored.  Requests may arrive
-- here in any order, so the times never decrease, except by a lifetime that was set on purpose.
local persistent, seen_before, ended = flags % 2, seen, ends
if expires >= 0 and (kept < 2 or lifetime == own) then
    seen = math.max(seen, now)
    ends = kept < 2 and expires or math.max(ends, expires)
end
if kept < 2 then
    own, persistent = lifetime, kept
end

-- All checks are done; the writes begin.  The entries depend on the id, the user and the expiry.
-- Each update of the times adds them again in case they were lost, even if the expiry is the same;
-- other updates leave them as they are.  `live` comes last, since the entries in it are counted: it
-- must not contain the new id of a move that fails.
local key, old_entry, old_user_entry = KEYS[1], entry, user_entry
if move > 0 then
    key, identity = KEYS[5], ARGV[move_at + 1]
    user = move == 2 and string.sub(identity, 5, 4 + struct.unpack('>I4', identity)) or nil
    entry, user_entry = entries(ARGV[move_at], user)
    redis.call('ZADD', KEYS[4], ARGV[move_at + 2], id)
end
if move > 0 or expires >= 0 or ends ~= ended then
    if user_entry then
        redis.call('ZADD', KEYS[3], 0, user_entry)
    end
    redis.call('ZADD', KEYS[2], ends, entry)
end
-- A move renames the hash: the fields and the TTL remain, and the cost does not depend on their
-- size.  Then the tombstone is stored under the old key.
if move > 0 then
    if old_user_entry then
        redis.pcall('ZREM', KEYS[3], old_user_entry)
    end
    redis.call('ZREM', KEYS[2], old_entry)
    -- The hashes of these tombstones were deleted by Redis long ago.
    redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - FORGOTTEN_AFTER)
    redis.call('RENAME', KEYS[1], key)
    -- Version 1, the flag of a tombstone, no lifetime, a user of length 0, the successor.
    redis.call('HSET', KEYS[1], '',
        struct.pack('>BBddddI4', 1, 4, created, seen_before, ARGV[move_at + 2], -1, 0)
        .. ARGV[move_at])
    redis.call('PEXPIREAT', KEYS[1], ARGV[move_at + 3])
end
-- DEL removes the frame and the TTL too, so both are written again below.
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
