-- What stands before each script that reads frames.

-- What a frame says; nothing if it is none of ours.
local function parsed(frame)
    if type(frame) ~= 'string' or #frame < 38 or string.byte(frame) ~= 1 then
        return nil
    end
    local _, flags, created, seen, ends, own, length = struct.unpack('>BBddddI4', frame)
    if #frame < 38 + length or not (ends >= 0 and ends <= 1e11) then
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
