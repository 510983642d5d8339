-- Enter a hash into the sorted sets again, by what its frame says.
--
-- KEYS  1 the hash  2 live  3 users  4 retired
-- ARGV  1 the id
local flags, ends, user = parsed(redis.pcall('HGET', KEYS[1], ''))
if not flags then
    return 0
end
local entry, user_entry = entries(ARGV[1], user)
if user_entry then
    redis.call('ZADD', KEYS[3], 0, user_entry)
end
redis.call('ZADD', flags >= 4 and KEYS[4] or KEYS[2], ends, entry)
return 1
