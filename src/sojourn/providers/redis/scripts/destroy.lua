-- Delete the hash of an id and its entries, and return its frame: '' if the frame is absent or
-- invalid, nothing if nothing was stored under the id.
--
-- KEYS  1 the hash  2 live  3 users  4 retired
-- ARGV  1 the id
--
-- The session ends even if a key of another type has the name of a sorted set.
local id = ARGV[1]
local frame = redis.pcall('HGET', KEYS[1], '')
local flags, _, user = parsed(frame)
local entry, user_entry = entries(id, user)
if user_entry then
    redis.pcall('ZREM', KEYS[3], user_entry)
end
redis.pcall('ZREM', KEYS[2], entry)
redis.pcall('ZREM', KEYS[4], id)
if redis.call('DEL', KEYS[1]) == 0 then
    return false
end
return flags and frame or ''
