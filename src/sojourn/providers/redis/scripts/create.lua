-- Store a new record, unless its id is in use; return 1 if it was stored, else 0.
--
-- KEYS  1 the hash  2 the sorted set by expiry: `live`, or `retired` for a tombstone  3 users
-- ARGV  1 the expiry  2 the time at which Redis deletes the hash by itself, in milliseconds
--       3 the entry in the set by expiry  4 the entry in `users`; empty without a user
--       5 entries that expired before this time are removed; empty to remove none
--       6… names and values of the fields
--
-- The sorted sets are written before the hash.  A script that fails is not rolled back; if another
-- program uses the name of a sorted set for another type, ZADD fails while no hash exists yet.
if redis.call('EXISTS', KEYS[1]) == 1 then
    return 0
end
if ARGV[4] ~= '' then
    redis.call('ZADD', KEYS[3], 0, ARGV[4])
end
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[3])
-- `unpack` fails for more than about 8,000 values.  The step is even, so no pair is divided.
for first = 6, #ARGV, 5000 do
    redis.call('HSET', KEYS[1], unpack(ARGV, first, math.min(first + 4999, #ARGV)))
end
redis.call('PEXPIREAT', KEYS[1], ARGV[2])

-- Redis has deleted the hashes of these entries by itself, long ago.  One in 4 new sessions removes up
-- to 8 entries, and each adds one, so the sets stay small in an application that never calls
-- `gc`.  The session is stored by now, so the script must not fail any more if another program uses
-- the name of `users`.
if ARGV[5] ~= '' then
    for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[5], 'LIMIT', 0, 8)) do
        redis.call('ZREM', KEYS[2], entry)
        local nul = string.find(entry, '\0', 1, true)
        if nul then
            local user_entry = string.sub(entry, nul + 1) .. '\0' .. string.sub(entry, 1, nul - 1)
            redis.pcall('ZREM', KEYS[3], user_entry)
        end
    end
end
return 1
