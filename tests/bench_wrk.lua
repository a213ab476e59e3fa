-- Sends requests that were written beforehand, each once or over and over.
--
-- wrk ... --script bench_wrk.lua URL -- FILE once|again THREADS
-- In the file stands before each request its length in bytes, on a line of its own.

local started = 0

function setup(thread)
   thread:set("number", started)
   started = started + 1
end

function init(args)
   requests, at, over_and_over = {}, 0, args[2] == "again"
   local file = assert(io.open(args[1], "rb"))
   local line, threads = 0, tonumber(args[3])
   for length in function() return file:read("*l") end do
      local request = file:read(tonumber(length))
      if line % threads == number then
         requests[#requests + 1] = request
      end
      line = line + 1
   end
   file:close()
end

function request()
   at = at + 1
   if at > #requests then
      if over_and_over then
         at = 1
      else
         -- Said a second time this one changes nothing, and nobody waits for it.
         at = #requests
         wrk.thread:stop()
      end
   end
   return requests[at]
end

function done(summary, latency, _)
   local failed = summary.errors
   io.stderr:write(string.format(
      '{"requests": %d, "seconds": %.6f, "failed": %d, "p50": %.3f, "p99": %.3f}\n',
      summary.requests, summary.duration / 1e6,
      failed.connect + failed.read + failed.write + failed.status + failed.timeout,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
