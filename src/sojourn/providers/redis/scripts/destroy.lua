-- Take away whatever stands under an id, with its entries, and return its frame: '' if it has
-- none that can be read, nothing if nothing stood there.
--
-- KEYS  1 the hash  2 live  3 users  4 retired
-- ARGV  1 the id
local id = ARGV[1]
local frame = redis.pcall('HGET', KEYS[1], '')
if type(frame) ~= 'string' or #frame < 38 or string.byte(frame) ~= 1 then
    redis.call('ZREM', KEYS[2], id)
    redis.call('ZREM', KEYS[4], id)
    return redis.call('DEL', KEYS[1]) == 1 and ''
end
local _, flags, _, _, _, _, length, user_at = struct.unpack('>BBddddI4', frame)
if flags >= 4 then
    redis.call('ZREM', KEYS[4], id)
elseif flags >= 2 then
    local user = string.sub(frame, user_at, user_at + length - 1)
    redis.call('ZREM', KEYS[2], id .. '\0' .. user)
    redis.call('ZREM', KEYS[3], user .. '\0' .. id)
else
    redis.call('ZREM', KEYS[2], id)
end
redis.call('DEL', KEYS[1])
return frame
