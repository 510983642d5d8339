-- Add the entries of a hash to the sorted sets, as its frame demands; return 1 if that was done, 0
-- if the hash is absent or has no valid frame.
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
if user_entry then
    redis.call('ZADD', KEYS[3], 0, user_entry)
end
-- A frame with the flag 4 is a tombstone, whose entry belongs to `retired`.
redis.call('ZADD', flags >= 4 and KEYS[4] or KEYS[2], ends, entry)
return 1
