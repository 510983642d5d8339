-- For wrk: sends the requests of a file in turn, and counts the responses that are not as expected.
--
-- The file holds whole requests, of which each ends with an empty line.  The second argument is
-- the body that each response must have.

local requests, turn, expected = {}, 0, nil
wrong = 0 -- global, because `done` runs in another interpreter and asks the thread for it
local thread

function setup(one)
   thread = one
end

function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   for request in file:read("*a"):gmatch("(.-\r\n\r\n)") do
      requests[#requests + 1] = request
   end
   file:close()
   expected = arguments[2]
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

function response(status, _, body)
   if status ~= 200 or body ~= expected then
      wrong = wrong + 1
   end
end

function done(summary)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.timeout
   print(string.format("served %d %d %d", summary.requests, summary.duration, failed + thread:get("wrong")))
end
