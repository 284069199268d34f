-- How many requests a key may send in a minute; 0 for any number. NULL leaves it to the setting
-- `http.requests_per_minute_max`.
ALTER TABLE api_keys ADD COLUMN requests_per_minute INTEGER
  CHECK (requests_per_minute BETWEEN 0 AND 10000000);
