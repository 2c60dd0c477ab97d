-- Sends the requests of a file, one line each (METHOD<tab>path<tab>body), in turn; at the end prints one line of JSON.
-- Arguments: the file, and what is sent as the header Authorization.

local requests = {}
local at = 0

function init(args)
   local headers = { ["Authorization"] = args[2], ["Content-Type"] = "application/json" }
   for line in io.lines(args[1]) do
      local method, path, body = line:match("^(%u+)\t([^\t]+)\t(.*)$")
      requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
   end
end

function request()
   at = at % #requests + 1
   return requests[at]
end

function done(summary, latency, _)
   local errors = summary.errors
   io.write(string.format(
      '\n{"answers": %d, "microseconds": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
      errors.connect + errors.read + errors.write + errors.timeout))
end
