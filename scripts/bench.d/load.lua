-- What wrk sends: requests made from templates, with a random line of a file for each {id} and a
-- value that was never sent before for each {value}.
--
-- Arguments, after wrk's own: a seed, a file of lines of equal length, the last 11 characters of
-- the values, then a template for each request, before it how many of 100 requests are of its kind.
-- The lines stay one string: a million of them in a table would be slow to read and to collect.

local lines, width, count, ending
local kinds = {}
local sent = 0

local function pieces(template)
  local list, ids, values = {}, {}, {}
  local from = 1
  for start, name, stop in template:gmatch("(){(%l+)}()") do
    if name == "id" or name == "value" then
      list[#list + 1] = template:sub(from, start - 1)
      list[#list + 1] = ""
      local slots = name == "id" and ids or values
      slots[#slots + 1] = #list
      from = stop
    end
  end
  list[#list + 1] = template:sub(from)
  return list, ids, values
end

function init(arguments)
  math.randomseed(tonumber(arguments[1]))
  local file = assert(io.open(arguments[2]))
  lines = file:read("*a")
  file:close()
  width = lines:find("\n")
  count = #lines / width
  ending = arguments[3]
  for number = 4, #arguments, 2 do
    local list, ids, values = pieces(arguments[number + 1])
    kinds[#kinds + 1] =
      {share = tonumber(arguments[number]), list = list, ids = ids, values = values}
  end
end

local function choose()
  if #kinds == 1 then return kinds[1] end
  local place = math.random(100)
  for _, kind in ipairs(kinds) do
    place = place - kind.share
    if place <= 0 then return kind end
  end
end

function request()
  local kind = choose()
  for _, slot in ipairs(kind.ids) do
    local from = (math.random(count) - 1) * width
    kind.list[slot] = lines:sub(from + 1, from + width - 1)
  end
  if #kind.values > 0 then
    -- Scattered, as users' values are: values in order would all go to one place of an index. The
    -- factor has no divisor in common with 10^8, so none comes twice.
    sent = sent + 1
    local value = 100000000 + sent * 61803399 % 100000000 .. ending
    for _, slot in ipairs(kind.values) do kind.list[slot] = value end
  end
  return table.concat(kind.list)
end

-- Costs as much as the rest of wrk, so only to see what went wrong.
if os.getenv("BENCH_STATUSES") then
  statuses = {}
  local thread
  function setup(created) thread = created end
  function response(status)
    statuses[status] = (statuses[status] or 0) + 1
  end
  function print_statuses()
    for status, number in pairs(thread:get("statuses")) do
      io.write(("status %d: %d\n"):format(status, number))
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  if print_statuses then print_statuses() end
  -- wrk counts 400 and above.
  local counts = ('"without success":%d,"refused connections":%d,"failed reads":%d,' ..
    '"failed writes":%d,"timeouts":%d'):format(
      errors.status, errors.connect, errors.read, errors.write, errors.timeout)
  io.write(('{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f,' ..
    '"errors":{%s}}\n'):format(
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000,
      latency:percentile(99) / 1000, latency.max / 1000, counts))
end
