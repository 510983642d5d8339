-- Forget entries of which the hash is lost, and what is no entry of ours; returns how many these
-- were.
--
-- KEYS  1 live  2 users
-- ARGV  1 which of them, the first or second  2 the rank to begin at  3 how many to look at
--       4 what the names of the hashes begin with
--
-- The empty entry is the mark of a set that was made whole.
local second = ARGV[1] == '2'
local key = second and KEYS[2] or KEYS[1]
if second then
    -- Redis finds entries by their names only while all have the same score.
    for _, range in ipairs({{'-inf', '(0'}, {'(0', '+inf'}}) do
        local odd = redis.call('ZRANGEBYSCORE', key, range[1], range[2], 'LIMIT', 0, ARGV[3])
        for _, entry in ipairs(odd) do
            redis.call('ZADD', key, 0, entry)
        end
    end
end
local lost = 0
for _, entry in ipairs(redis.call('ZRANGE', key, ARGV[2], ARGV[2] + ARGV[3] - 1)) do
    local id = string.match(entry, second and '^.*%z(.*)$' or '^[^%z]*') or ''
    if entry ~= '' and not (is_id(id) and redis.call('EXISTS', ARGV[4] .. id) == 1) then
        redis.call('ZREM', key, entry)
        lost = lost + 1
    end
end
return lost
