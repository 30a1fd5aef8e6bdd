-- The sliding window of domain::rate in Redis: the same rules, on Redis's own clock.
-- One hash per key: the numbers of the log in fields of their own, and one field per run, named by
-- its place in the log and holding "<time of its last hit> <hits>".
-- KEYS: the window. ARGV: limit, window, granule (milliseconds), wanted.
-- Returns: granted, remaining, reset, retry after (milliseconds).
local key = KEYS[1]
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local granule, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])

local stored = redis.call('HMGET', key, 'head', 'tail', 'total', 'first', 'last', 'ahead')
local head, tail = tonumber(stored[1] or 1), tonumber(stored[2] or 0)
local total, first = tonumber(stored[3] or 0), tonumber(stored[4] or 0)
local last, ahead = tonumber(stored[5] or 0), tonumber(stored[6] or 0)

local function text(number)
  return string.format('%.0f', number)
end

local function run(place)
  local time, count = string.match(redis.call('HGET', key, text(place)), '(%d+) (%d+)')
  return tonumber(time), tonumber(count)
end

-- A clock that was set back stands still, or goes on from where it was.
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local changed = false
if clock + ahead + window < last then
  ahead, changed = last - clock, true
end
local now = math.max(clock + ahead, last)

-- Forget what has left the window; an empty one starts on the clock again.
local oldest, oldest_count = now, 0
while head <= tail do
  oldest, oldest_count = run(head)
  if oldest + window > now then
    break
  end
  redis.call('HDEL', key, text(head))
  total, head, changed = total - oldest_count, head + 1, true
end
if head > tail then
  ahead, now = 0, clock
end

-- Grant what fits.
local granted = math.max(0, math.min(wanted, limit - total))
if granted > 0 then
  local count = granted
  if head <= tail and now - first < granule then
    local _, before = run(tail)
    count = count + before
  else
    tail, first = tail + 1, now
  end
  if head == tail then
    oldest = now
  end
  last, total, changed = now, total + granted, true
  redis.call('HSET', key, text(tail), text(now) .. ' ' .. text(count))
end

-- The run that must leave before one more passes; the oldest, unless the limit was lowered.
local retry, left, place = 0, total, head
while left >= limit do
  local time, count = run(place)
  retry, left, place = time + window - now, left - count, place + 1
end

if head > tail then
  redis.call('DEL', key)
elseif changed then
  redis.call('HSET', key, 'head', text(head), 'tail', text(tail), 'total', text(total),
    'first', text(first), 'last', text(last), 'ahead', text(ahead))
  redis.call('PEXPIRE', key, text(last + window - now + 1))
end

local reset = 0
if head <= tail then
  reset = oldest + window - now
end
return { granted, math.max(0, limit - total), reset, retry }
