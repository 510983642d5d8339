-- Delete expired sessions and tombstones of one tag; return how many, counting also entries whose
-- hash was deleted before.
--
-- KEYS  1 live  2 users  3 retired
-- ARGV  1 now  2 the greatest number to delete  3 the beginning of the hashes' names
--
-- The names of the hashes are computed here and are not among KEYS.  A cluster permits that, since
-- they contain the same tag and so belong to the same slot.
local now, limit, stem = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local swept = 0
for _, order in ipairs({KEYS[1], KEYS[3]}) do
    -- If the key is not a sorted set, `pcall` returns a table with an error and without items, so
    -- the set is skipped.
    local due = redis.pcall('ZRANGEBYSCORE', order, '-inf', ARGV[1], 'LIMIT', 0, limit - swept)
    for _, entry in ipairs(due) do
        -- "id", or "id NUL user" in `live`; an id contains no NUL, but the name of a user may.
        local nul = string.find(entry, '\0', 1, true)
        local id = nul and string.sub(entry, 1, nul - 1) or entry
        local ours = is_id(id)
        local flags, ends, user = parsed(ours and redis.pcall('HGET', stem .. id, ''))
        redis.call('ZREM', order, entry)
        -- The frame decides, not the score: an outdated entry must not end a session that was
        -- prolonged, so it is replaced by the entry that the frame demands.
        if ends and ends > now then
            local right = entries(id, user)
            redis.pcall('ZADD', flags >= 4 and KEYS[3] or KEYS[1], ends, right)
        else
            if nul then
                redis.pcall('ZREM', KEYS[2], string.sub(entry, nul + 1) .. '\0' .. id)
            end
            -- Also for a hash whose frame is invalid: then the score is the only known expiry.  An
            -- entry that is not an id was added by another program, and is removed alone.
            if ours then
                redis.call('DEL', stem .. id)
            end
            swept = swept + 1
        end
    end
end
return swept
