-- What stands before each script that reads frames or entries.

-- Whether a name can be an id: anybody may have put other names into a sorted set, and `live` after
-- the stem is the name of a sorted set.
local function is_id(name)
    return #name >= 32 and #name <= 128 and #name % 2 == 0 and not string.find(name, '[^0-9a-f]')
end

-- Whether a number is a time that a clock can show; what is not a number is none.
local function is_time(seconds)
    return seconds >= 0 and seconds <= 1e11
end

-- What a frame says; nothing if it is none of ours.
local function parsed(frame)
    if type(frame) ~= 'string' or #frame < 38 or string.byte(frame) ~= 1 then
        return nil
    end
    local _, flags, created, seen, ends, own, length = struct.unpack('>BBddddI4', frame)
    if flags > 7 or #frame < 38 + length or not (is_time(created) and is_time(seen) and is_time(ends)
            and (own == -1 or is_time(own))) then
        return nil
    end
    local user = flags % 4 >= 2 and string.sub(frame, 39, 38 + length) or nil
    return flags, ends, user, created, seen, own, string.sub(frame, 35)
end

-- Its entries in the order of expiry and among the users; no user, no second one.
local function entries(id, user)
    if user then
        return id .. '\0' .. user, user .. '\0' .. id
    end
    return id
end
