-- Items: what is inside a conversation, one row each, in the order in which they were added.
--
-- `fields` is the item's JSON object without `id` and `type`, which have columns of their own, so
-- that nothing is stored twice. An item never changes.

CREATE TABLE items (
  number INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number > 0),
  conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
  project INTEGER NOT NULL DEFAULT 1 REFERENCES projects (number),
  id TEXT NOT NULL
    CHECK (length(CAST(id AS BLOB)) BETWEEN 1 AND 64 AND instr(id, char(0)) = 0)
    CHECK (id NOT GLOB '*[^0-9A-Za-z_-]*'),
  type TEXT NOT NULL
    CHECK (length(CAST(type AS BLOB)) BETWEEN 1 AND 64 AND instr(type, char(0)) = 0)
    CHECK (type NOT GLOB '*[^a-z0-9_]*'),
  created_at INTEGER NOT NULL CHECK (created_at BETWEEN 0 AND 4294967295),
  fields TEXT NOT NULL
    CHECK (json_valid(fields) AND substr(fields, 1, 1) = '{' AND instr(fields, char(0)) = 0)
) STRICT;

-- A page is a range of numbers of one conversation: each index ends in the row's number.
CREATE INDEX items_by_conversation ON items (conversation);

-- A conversation has an id once. The project leads, as in the other indices.
CREATE UNIQUE INDEX items_by_id ON items (project, id, conversation);

-- INSERT OR REPLACE would delete the older row without running its delete trigger.
CREATE TRIGGER items_inserted BEFORE INSERT ON items
BEGIN
  SELECT RAISE(ABORT, 'no such conversation in this project')
  WHERE NOT EXISTS (
    SELECT 1 FROM conversations WHERE number = NEW.conversation AND project = NEW.project);
  SELECT RAISE(ABORT, 'an item with this number, or in this conversation with this id, exists')
  WHERE EXISTS (SELECT 1 FROM items WHERE number = NEW.number)
    OR EXISTS (
      SELECT 1 FROM items
      WHERE project = NEW.project AND id = NEW.id AND conversation = NEW.conversation);
END;

-- A number is never used again, and one that is far ahead would use them up.
CREATE TRIGGER items_numbered AFTER INSERT ON items
BEGIN
  SELECT RAISE(ABORT, 'the number of an item is for the database to choose')
  WHERE NEW.number <= (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'items')
    OR NEW.number > 1000000000 + (
      SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'items');
END;

CREATE TRIGGER items_updated BEFORE UPDATE ON items
BEGIN
  SELECT RAISE(ABORT, 'an item never changes: delete it, and insert another');
END;

CREATE TRIGGER conversations_items_deleted AFTER DELETE ON conversations
BEGIN
  DELETE FROM items WHERE conversation = OLD.number;
END;

-- Appends that carried an Idempotency-Key. The items of one append have consecutive numbers, so its
-- answer is made of them anew, and what was deleted since is not in it.
CREATE TABLE append_idempotency_keys (
  project INTEGER NOT NULL REFERENCES projects (number),
  key TEXT NOT NULL
    CHECK (length(key) BETWEEN 1 AND 255 AND key NOT GLOB '*[^!-~]*' AND instr(key, char(0)) = 0),
  request_hash TEXT NOT NULL
    CHECK (length(request_hash) = 64 AND request_hash NOT GLOB '*[^0-9a-f]*')
    CHECK (instr(request_hash, char(0)) = 0),
  conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
  first_item INTEGER NOT NULL,
  last_item INTEGER NOT NULL CHECK (last_item >= first_item - 1),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (project, key)
) STRICT;

CREATE INDEX append_idempotency_keys_by_age ON append_idempotency_keys (created_at);

CREATE INDEX append_idempotency_keys_by_conversation ON append_idempotency_keys (conversation);

CREATE TRIGGER append_idempotency_keys_inserted BEFORE INSERT ON append_idempotency_keys
BEGIN
  SELECT RAISE(ABORT, 'no such conversation in this project')
  WHERE NOT EXISTS (
    SELECT 1 FROM conversations WHERE number = NEW.conversation AND project = NEW.project);
END;

CREATE TRIGGER append_idempotency_keys_updated BEFORE UPDATE ON append_idempotency_keys
BEGIN
  SELECT RAISE(ABORT, 'the record of an idempotency key never changes');
END;

CREATE TRIGGER conversations_append_keys_deleted AFTER DELETE ON conversations
BEGIN
  DELETE FROM append_idempotency_keys WHERE conversation = OLD.number;
END;

-- For people: a conversation as text. `SELECT * FROM transcript WHERE conversation = 'conv_…';`
CREATE VIEW transcript AS
SELECT
  conversations.id AS conversation,
  strftime('%Y-%m-%dT%H:%M:%SZ', items.created_at, 'unixepoch') AS created_at,
  items.id AS id,
  items.type AS type,
  items.fields ->> '$.role' AS role,
  coalesce(
    (
      SELECT group_concat(
        CASE part.type
          WHEN 'object' THEN coalesce(
            part.value ->> '$.text', part.value ->> '$.refusal',
            '[' || (part.value ->> '$.type') || ']')
          ELSE part.atom
        END, ' ')
      FROM json_each(items.fields, '$.content') AS part
    ),
    items.fields ->> '$.output', items.fields ->> '$.arguments', items.fields ->> '$.input', ''
  ) AS text
FROM items JOIN conversations ON conversations.number = items.conversation
ORDER BY items.number;
