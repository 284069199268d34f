-- Creations that carried an Idempotency-Key, and what was answered: a repeat gets the same answer
-- and creates nothing. A record is written with its conversation, and goes with it, since it holds
-- its metadata; the service also removes it when it is too old.
CREATE TABLE idempotency_keys (
  project INTEGER NOT NULL REFERENCES projects (number),
  key TEXT NOT NULL
    CHECK (length(key) BETWEEN 1 AND 255 AND key NOT GLOB '*[^!-~]*')
    CHECK (instr(key, char(0)) = 0),
  request_hash TEXT NOT NULL
    CHECK (length(request_hash) = 64 AND request_hash NOT GLOB '*[^0-9a-f]*')
    CHECK (instr(request_hash, char(0)) = 0),
  conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
  answer TEXT NOT NULL,
  content_hash TEXT NOT NULL
    CHECK (length(content_hash) = 32 AND content_hash NOT GLOB '*[^0-9a-f]*')
    CHECK (instr(content_hash, char(0)) = 0),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (project, key)
) STRICT;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE INDEX idempotency_keys_by_conversation ON idempotency_keys (conversation);

-- The sqlite3 CLI has foreign keys off.
CREATE TRIGGER idempotency_keys_inserted BEFORE INSERT ON idempotency_keys
BEGIN
  SELECT RAISE(ABORT, 'no such conversation in this project')
  WHERE NOT EXISTS (
    SELECT 1 FROM conversations WHERE number = NEW.conversation AND project = NEW.project);
END;

CREATE TRIGGER idempotency_keys_updated BEFORE UPDATE ON idempotency_keys
BEGIN
  SELECT RAISE(ABORT, 'a record of an idempotency key never changes');
END;

CREATE TRIGGER idempotency_keys_deleted AFTER DELETE ON conversations
BEGIN
  DELETE FROM idempotency_keys WHERE conversation = OLD.number;
END;
