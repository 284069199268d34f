-- The whole schema of conversationd: who owns what, and the limits that no writer can break.
--
-- The sqlite3 CLI does not enforce foreign keys and knows nothing of the service's rules, so each
-- rule stands here as a CHECK or a trigger; the foreign keys say the same to readers and to
-- `PRAGMA foreign_key_check`. length() counts code points but stops at U+0000, hence instr().

CREATE TABLE projects (
  number INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number > 0),
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64 AND instr(name, char(0)) = 0)
) STRICT;

INSERT INTO projects (number, name) VALUES (1, 'default');

CREATE TRIGGER projects_inserted BEFORE INSERT ON projects
BEGIN
  SELECT RAISE(ABORT, 'a project with this name or number exists')
  WHERE EXISTS (SELECT 1 FROM projects WHERE number = NEW.number OR name = NEW.name);
END;

CREATE TRIGGER projects_renumbered BEFORE UPDATE OF number ON projects
BEGIN
  SELECT RAISE(ABORT, 'the number of a project never changes');
END;

-- AUTOINCREMENT: a number is never used again, so nothing left behind can be inherited.
CREATE TABLE conversations (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  project INTEGER NOT NULL DEFAULT 1 REFERENCES projects (number),
  id TEXT NOT NULL UNIQUE
    CHECK (length(CAST(id AS BLOB)) = 53 AND instr(id, char(0)) = 0)
    CHECK (substr(id, 1, 5) = 'conv_' AND substr(id, 6) NOT GLOB '*[^0-9a-f]*')
    CHECK (substr(id, 6, 8) = printf('%08x', created_at)),
  created_at INTEGER NOT NULL CHECK (created_at BETWEEN 0 AND 4294967295)
) STRICT;

-- One pair is one row, stored beside the other pairs of its conversation. `project` repeats the
-- conversation's, so that the index can lead with it: one project's rare pair is then found
-- without walking through another project's million.
CREATE TABLE metadata (
  conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
  key TEXT NOT NULL
    CHECK (length(key) <= 64)
    CHECK (instr(key, char(0)) = 0)
    CHECK (length(CAST(key AS BLOB)) <= 256),
  value TEXT NOT NULL
    CHECK (length(value) <= 512)
    CHECK (instr(value, char(0)) = 0)
    CHECK (length(CAST(value AS BLOB)) <= 2048),
  project INTEGER NOT NULL DEFAULT 1 REFERENCES projects (number),
  PRIMARY KEY (conversation, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX metadata_by_pair ON metadata (project, key, value, conversation);

CREATE TRIGGER metadata_inserted AFTER INSERT ON metadata
BEGIN
  SELECT RAISE(ABORT, 'no such conversation in this project')
  WHERE NOT EXISTS (
    SELECT 1 FROM conversations WHERE number = NEW.conversation AND project = NEW.project);
  SELECT RAISE(ABORT, 'a conversation has at most 16 metadata pairs')
  WHERE (SELECT count(*) FROM metadata WHERE conversation = NEW.conversation) > 16;
END;

CREATE TRIGGER metadata_moved AFTER UPDATE OF conversation, project ON metadata
BEGIN
  SELECT RAISE(ABORT, 'no such conversation in this project')
  WHERE NOT EXISTS (
    SELECT 1 FROM conversations WHERE number = NEW.conversation AND project = NEW.project);
  SELECT RAISE(ABORT, 'a conversation has at most 16 metadata pairs')
  WHERE (SELECT count(*) FROM metadata WHERE conversation = NEW.conversation) > 16;
END;

-- INSERT OR REPLACE would delete the older row without running its delete trigger.
CREATE TRIGGER conversations_replaced BEFORE INSERT ON conversations
BEGIN
  SELECT RAISE(ABORT, 'a conversation with this id or number exists')
  WHERE EXISTS (SELECT 1 FROM conversations WHERE number = NEW.number OR id = NEW.id);
END;

-- The next number follows the largest that ever was: one that is far ahead would use them up, and
-- -1 is what NEW.number says in the trigger above when the number is left to the database.
CREATE TRIGGER conversations_inserted AFTER INSERT ON conversations
BEGIN
  SELECT RAISE(ABORT, 'the number of a conversation is for the database to choose')
  WHERE NEW.number < 1 OR NEW.number > 1000000000 + (
    SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'conversations');
END;

CREATE TRIGGER conversations_updated BEFORE UPDATE ON conversations
BEGIN
  SELECT RAISE(ABORT, 'a conversation itself never changes, only its metadata does');
END;

CREATE TRIGGER conversations_deleted AFTER DELETE ON conversations
BEGIN
  DELETE FROM metadata WHERE conversation = OLD.number;
END;

CREATE TRIGGER projects_deleted BEFORE DELETE ON projects
BEGIN
  SELECT RAISE(ABORT, 'the default project, and one with conversations, stays')
  WHERE OLD.number = 1 OR EXISTS (SELECT 1 FROM conversations WHERE project = OLD.number);
END;

-- For people: one row a conversation. `SELECT * FROM overview;`
CREATE VIEW overview AS
SELECT
  conversations.id AS id,
  strftime('%Y-%m-%dT%H:%M:%SZ', conversations.created_at, 'unixepoch') AS created_at,
  projects.name AS project,
  (
    SELECT json_group_object(pair.key, pair.value)
    FROM (
      SELECT key, value FROM metadata WHERE conversation = conversations.number ORDER BY key
    ) AS pair
  ) AS metadata
FROM conversations JOIN projects ON projects.number = conversations.project;
