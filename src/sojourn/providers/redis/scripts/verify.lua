-- Forget entries of which the hash is lost; returns how many these were.
--
-- KEYS  1 live  2 users
-- ARGV  1 which of them, the first or second  2 the rank to begin at  3 how many to look at
--       4 what the names of the hashes begin with
local second = ARGV[1] == '2'
local key = second and KEYS[2] or KEYS[1]
local lost = 0
for _, entry in ipairs(redis.call('ZRANGE', key, ARGV[2], ARGV[2] + ARGV[3] - 1)) do
    local id = string.match(entry, second and '^.*%z(.*)$' or '^[^%z]*')
    if id and id ~= '' and redis.call('EXISTS', ARGV[4] .. id) == 0 then
        redis.call('ZREM', key, entry)
        lost = lost + 1
    end
end
return lost
