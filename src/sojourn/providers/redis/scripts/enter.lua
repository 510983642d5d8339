-- Enter a hash into the sorted sets again, by what its frame says; 1 or 0.
--
-- KEYS  1 the hash  2 live  3 users  4 retired
-- ARGV  1 the id
local id = ARGV[1]
local frame = redis.pcall('HGET', KEYS[1], '')
if type(frame) ~= 'string' or #frame < 38 or string.byte(frame) ~= 1 then
    return 0
end
local _, flags, _, _, ends, _, length, user_at = struct.unpack('>BBddddI4', frame)
if flags >= 4 then
    redis.call('ZADD', KEYS[4], ends, id)
elseif flags >= 2 then
    local user = string.sub(frame, user_at, user_at + length - 1)
    redis.call('ZADD', KEYS[2], ends, id .. '\0' .. user)
    redis.call('ZADD', KEYS[3], 0, user .. '\0' .. id)
else
    redis.call('ZADD', KEYS[2], ends, id)
end
return 1
