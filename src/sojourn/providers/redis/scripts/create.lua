-- Store a new record, unless anything is stored under its id; return 1 if it was stored, else 0.
--
-- KEYS  1 the hash  2 its order of expiry  3 users
-- ARGV  1 when it expires  2 the same for Redis, in ms  3 its entry by expiry  4 among the users
--       5 what had expired by then is forgotten  6… the fields: names and values
--
-- The sorted sets come first: should one of them be none of ours, there is no hash.
if redis.call('EXISTS', KEYS[1]) == 1 then
    return 0
end
if ARGV[4] ~= '' then
    redis.call('ZADD', KEYS[3], 0, ARGV[4])
end
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[3])
for first = 6, #ARGV, 5000 do  -- `unpack` fails at about 8,000
    redis.call('HSET', KEYS[1], unpack(ARGV, first, math.min(first + 4999, #ARGV)))
end
redis.call('PEXPIREAT', KEYS[1], ARGV[2])

-- Where nobody sweeps, Redis has dropped these itself: each beginning forgets two of them.
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(-inf', ARGV[5], 'LIMIT', 0, 2)) do
    redis.call('ZREM', KEYS[2], entry)
    local nul = string.find(entry, '\0', 1, true)
    if nul then
        redis.call('ZREM', KEYS[3], string.sub(entry, nul + 1) .. '\0' .. string.sub(entry, 1, nul - 1))
    end
end
return 1
