-- Take away what has expired among the sessions of one tag; returns how many.
--
-- KEYS  1 live  2 users  3 retired
-- ARGV  1 now  2 the most to take away  3 what the names of the hashes begin with
--
-- The hashes are of the same tag, so of the same slot.  Their own frames decide, where there are
-- any: an entry that says less than its hash is set right.  An entry of another kind goes alone, and a
-- set that is none is passed by.
local now, limit, stem = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local swept = 0
for _, order in ipairs({KEYS[1], KEYS[3]}) do
    local due = redis.pcall('ZRANGEBYSCORE', order, '(-inf', ARGV[1], 'LIMIT', 0, limit - swept)
    for _, entry in ipairs(due) do
        local nul = string.find(entry, '\0', 1, true)
        local id = nul and string.sub(entry, 1, nul - 1) or entry
        local ours = is_id(id)
        local flags, ends, user = parsed(ours and redis.pcall('HGET', stem .. id, ''))
        redis.call('ZREM', order, entry)
        if ends and ends > now then
            local right = entries(id, user)
            redis.pcall('ZADD', flags >= 4 and KEYS[3] or KEYS[1], ends, right)
        else
            if nul then
                redis.pcall('ZREM', KEYS[2], string.sub(entry, nul + 1) .. '\0' .. id)
            end
            if ours then
                redis.call('DEL', stem .. id)
            end
            swept = swept + 1
        end
    end
end
return swept
