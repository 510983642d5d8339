-- Examine a range of one sorted set: remove entries whose hash is absent, and entries that do not
-- contain an id.  Return how many were removed.
--
-- KEYS  1 live  2 users
-- ARGV  1 the set to examine: 1 or 2, the number of its key  2 the rank of the first entry
--       3 the number of entries to examine  4 the beginning of the names of the hashes
local second = ARGV[1] == '2'
local key = second and KEYS[2] or KEYS[1]
if second then
    -- ZRANGEBYLEX finds entries by their names only if all have the same score.  An entry that
    -- another program added with another score would hide sessions from `destroy_user`.
    for _, range in ipairs({{'-inf', '(0'}, {'(0', '+inf'}}) do
        local odd = redis.call('ZRANGEBYSCORE', key, range[1], range[2], 'LIMIT', 0, ARGV[3])
        for _, entry in ipairs(odd) do
            redis.call('ZADD', key, 0, entry)
        end
    end
end
local lost = 0
for _, entry in ipairs(redis.call('ZRANGE', key, ARGV[2], ARGV[2] + ARGV[3] - 1)) do
    -- "user NUL id" in `users`, "id NUL user" in `live`.  A user's name may contain NUL, an id does
    -- not, so the id follows the last NUL, or precedes the first.  The class %z matches NUL.
    local id = string.match(entry, second and '^.*%z(.*)$' or '^[^%z]*') or ''
    -- EXISTS counts both keys.  The set is named with the hash, since a cluster that is moving the
    -- slot answers for one absent key that it does not exist, even if its hash is still on the other
    -- server; for two keys, of which one is absent, it reports an error, and the entry stays.
    if not (is_id(id) and redis.call('EXISTS', ARGV[4] .. id, key) == 2) then
        redis.call('ZREM', key, entry)
        lost = lost + 1
    end
end
return lost
