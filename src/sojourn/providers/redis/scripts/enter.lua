-- Add the entries of a hash to the sorted sets, as its frame demands; return how many were
-- missing, which is 0 if the hash is absent or has no valid frame.
--
-- KEYS  1 the hash  2 live  3 users  4 retired
-- ARGV  1 the id
--
-- A second run changes nothing, because ZADD sets the same scores again.
local flags, ends, user = parsed(redis.pcall('HGET', KEYS[1], ''))
if not flags then
    return 0
end
local entry, user_entry = entries(ARGV[1], user)
local added = user_entry and redis.call('ZADD', KEYS[3], 0, user_entry) or 0
-- A frame with the flag 4 is a tombstone, whose entry belongs to `retired`.
return added + redis.call('ZADD', flags >= 4 and KEYS[4] or KEYS[2], ends, entry)
