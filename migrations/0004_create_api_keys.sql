-- API keys: who may come in, to which project, and whether only to read. The key itself is nowhere,
-- only its SHA-256. A row stays when its key is revoked: from the first key on keys are required,
-- also when none counts any more.
CREATE TABLE api_keys (
  number INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number > 0),
  project INTEGER NOT NULL REFERENCES projects (number),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64 AND instr(name, char(0)) = 0),
  hash TEXT NOT NULL UNIQUE
    CHECK (length(hash) = 64 AND hash NOT GLOB '*[^0-9a-f]*' AND instr(hash, char(0)) = 0),
  first_characters TEXT NOT NULL
    CHECK (length(first_characters) <= 10 AND instr(first_characters, char(0)) = 0),
  is_read_only INTEGER NOT NULL DEFAULT 0 CHECK (is_read_only IN (0, 1)),
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER,
  revoked_at INTEGER
) STRICT;

-- A name may be used again once its key is revoked.
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (name) WHERE revoked_at IS NULL;

-- The sqlite3 CLI has foreign keys off, and its INSERT OR REPLACE would delete without a trigger.
CREATE TRIGGER api_keys_inserted BEFORE INSERT ON api_keys
BEGIN
  SELECT RAISE(ABORT, 'no such project')
  WHERE NOT EXISTS (SELECT 1 FROM projects WHERE number = NEW.project);
  SELECT RAISE(ABORT, 'a key with this number, hash or name exists')
  WHERE EXISTS (
    SELECT 1 FROM api_keys
    WHERE number = NEW.number OR hash = NEW.hash OR (name = NEW.name AND revoked_at IS NULL));
END;

CREATE TRIGGER api_keys_updated
BEFORE UPDATE OF number, project, hash, first_characters, is_read_only, created_at ON api_keys
BEGIN
  SELECT RAISE(ABORT, 'of a key only its name, its end and its last use change');
END;

-- UPDATE OR REPLACE would delete the key that has the name.
CREATE TRIGGER api_keys_renamed BEFORE UPDATE OF name ON api_keys
WHEN OLD.revoked_at IS NULL
BEGIN
  SELECT RAISE(ABORT, 'a key with this name exists')
  WHERE EXISTS (
    SELECT 1 FROM api_keys
    WHERE name = NEW.name AND revoked_at IS NULL AND number <> NEW.number);
END;

CREATE TRIGGER api_keys_revoked BEFORE UPDATE OF revoked_at ON api_keys
WHEN OLD.revoked_at IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'a revoked key stays revoked');
END;

CREATE TRIGGER api_keys_deleted BEFORE DELETE ON api_keys
BEGIN
  SELECT RAISE(ABORT, 'a key is revoked, not deleted: set revoked_at');
END;

-- UPDATE OR REPLACE would delete the project that has the name.
CREATE TRIGGER projects_renamed BEFORE UPDATE OF name ON projects
BEGIN
  SELECT RAISE(ABORT, 'a project with this name exists')
  WHERE EXISTS (SELECT 1 FROM projects WHERE name = NEW.name AND number <> NEW.number);
END;

DROP TRIGGER projects_deleted;

CREATE TRIGGER projects_deleted BEFORE DELETE ON projects
BEGIN
  SELECT RAISE(ABORT, 'the default project, and one with conversations or keys, stays')
  WHERE OLD.number = 1 OR EXISTS (SELECT 1 FROM conversations WHERE project = OLD.number)
    OR EXISTS (SELECT 1 FROM api_keys WHERE project = OLD.number);
END;
