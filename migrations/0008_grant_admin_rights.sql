-- Admin keys may make and revoke the other keys of their project. An admin key is also a key that reads
-- and writes.
ALTER TABLE api_keys ADD COLUMN is_admin INTEGER NOT NULL DEFAULT 0
  CHECK (is_admin IN (0, 1) AND (is_admin = 0 OR is_read_only = 0));

-- Names are unique per project, so that a taken name tells nothing of other projects. The keys of a
-- project that count are a range of this index, in the order of their names.
DROP INDEX api_keys_by_name;

CREATE UNIQUE INDEX api_keys_by_name ON api_keys (project, name) WHERE revoked_at IS NULL;

DROP TRIGGER api_keys_inserted;

CREATE TRIGGER api_keys_inserted BEFORE INSERT ON api_keys
BEGIN
  SELECT RAISE(ABORT, 'no such project')
  WHERE NOT EXISTS (SELECT 1 FROM projects WHERE number = NEW.project);
  SELECT RAISE(ABORT, 'a key with this number or hash, or in this project with this name, exists')
  WHERE EXISTS (
    SELECT 1 FROM api_keys
    WHERE number = NEW.number OR hash = NEW.hash
      OR (project = NEW.project AND name = NEW.name AND revoked_at IS NULL));
END;

DROP TRIGGER api_keys_updated;

CREATE TRIGGER api_keys_updated
BEFORE UPDATE OF number, project, hash, first_characters, is_read_only, is_admin, created_at
ON api_keys
BEGIN
  SELECT RAISE(ABORT, 'of a key only its name, its end and its last use change');
END;

DROP TRIGGER api_keys_renamed;

CREATE TRIGGER api_keys_renamed BEFORE UPDATE OF name ON api_keys
WHEN OLD.revoked_at IS NULL
BEGIN
  SELECT RAISE(ABORT, 'a key with this name exists in this project')
  WHERE EXISTS (
    SELECT 1 FROM api_keys
    WHERE project = OLD.project AND name = NEW.name AND revoked_at IS NULL
      AND number <> NEW.number);
END;
