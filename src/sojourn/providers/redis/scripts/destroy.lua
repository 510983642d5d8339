-- Take away whatever stands under an id, with its entries, and return its frame: '' if it has
-- none that can be read, nothing if nothing stood there.
--
-- KEYS  1 the hash  2 live  3 users  4 retired
-- ARGV  1 the id
local id = ARGV[1]
local frame = redis.pcall('HGET', KEYS[1], '')
local flags, _, user = parsed(frame)
local entry, user_entry = entries(id, user)
if user_entry then
    redis.call('ZREM', KEYS[3], user_entry)
end
redis.call('ZREM', KEYS[2], entry)
redis.call('ZREM', KEYS[4], id)
if redis.call('DEL', KEYS[1]) == 0 then
    return false
end
return flags and frame or ''
