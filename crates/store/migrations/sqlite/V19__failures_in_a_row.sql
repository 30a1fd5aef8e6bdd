-- When an endpoint failed last: a failure long after it begins a row of its own.
ALTER TABLE webhook_endpoints ADD COLUMN failed_at INTEGER;
