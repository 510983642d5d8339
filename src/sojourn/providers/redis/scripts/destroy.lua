-- Delete a session or a tombstone and its entries, and return its frame: '' if the frame is absent
-- or invalid, nil if nothing was stored under the id.
--
-- KEYS  1 the hash  2 live  3 users  4 retired
-- ARGV  1 the id
--
-- `pcall` turns an error into a return value.  A session therefore ends even if another program
-- uses the name of its hash or of a sorted set for a key of another type.
local id = ARGV[1]
local frame = redis.pcall('HGET', KEYS[1], '')
local flags, _, user = parsed(frame)
local entry, user_entry = entries(id, user)
if user_entry then
    redis.pcall('ZREM', KEYS[3], user_entry)
end
redis.pcall('ZREM', KEYS[2], entry)
redis.pcall('ZREM', KEYS[4], id)
-- Of several callers that destroy a session at once, only the one whose DEL found it gets a frame.
if redis.call('DEL', KEYS[1]) == 0 then
    return false
end
return flags and frame or ''
