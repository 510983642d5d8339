-- Functions for frames and index entries.  The loader puts this text before each script that uses
-- them, so that every script is sent as one text.  The layout of a frame is described in layout.py.
-- Its constants MARGIN, FORGOTTEN_AFTER and LATEST are defined in a line that the loader puts first.

-- Return whether a name has the form of an id.  Any client may have added other names to a sorted
-- set, and without this check the entry `live` would lead to the key of a sorted set.
local function is_id(name)
    return #name >= 32 and #name <= 128 and #name % 2 == 0 and not string.find(name, '[^0-9a-f]')
end

-- Return whether a number is a valid time.  Both comparisons are false for NaN, so it is rejected as
-- well.
local function is_time(seconds)
    return seconds >= 0 and seconds <= LATEST
end

-- Return the parts of a frame; nil if it is absent or invalid.  `frame` is the reply of HGET: false
-- if the hash or the field is absent, a table if the key is of another type.
--
-- flags     the sum of 1: persistent cookie, 2: has a user, 4: tombstone
-- own       the lifetime that was set for this session, in seconds; -1 if none was
-- identity  the end of the frame from byte 35 on: the length of the user, the user, the sign-in
local function parsed(frame)
    -- The fixed part has 38 bytes, and its first byte is the version of the format.
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

-- Return the entry of a session in the set by expiry, and its entry in `users` if it has a user.
local function entries(id, user)
    if user then
        return id .. '\0' .. user, user .. '\0' .. id
    end
    return id
end
