-- When something last happened in each conversation, and how many items it has: what lists in that
-- order stand on. One row a conversation, kept by triggers, whoever writes.
--
-- The last activity is the moment of the newest append, or of the creation, in Unix microseconds. The
-- service says the microsecond of an append; items that are added by hand have their `created_at`.

CREATE TABLE activity (
  conversation INTEGER PRIMARY KEY REFERENCES conversations (number) ON DELETE CASCADE,
  project INTEGER NOT NULL,
  last_activity INTEGER NOT NULL CHECK (last_activity BETWEEN 0 AND 4294967295999999),
  item_count INTEGER NOT NULL CHECK (item_count >= 0)
) STRICT;

-- The 5 digits after the second are the microsecond; ids of the older format have larger ones there.
INSERT INTO activity (conversation, project, last_activity, item_count)
SELECT
  number, project,
  max(
    created_at * 1000000 + min(
      999999,
      (instr('0123456789abcdef', substr(id, 14, 1)) - 1) * 65536
        + (instr('0123456789abcdef', substr(id, 15, 1)) - 1) * 4096
        + (instr('0123456789abcdef', substr(id, 16, 1)) - 1) * 256
        + (instr('0123456789abcdef', substr(id, 17, 1)) - 1) * 16
        + (instr('0123456789abcdef', substr(id, 18, 1)) - 1)),
    coalesce(
      (
        SELECT items.created_at * 1000000 FROM items
        WHERE items.conversation = conversations.number ORDER BY items.number DESC LIMIT 1
      ), 0)),
  (SELECT count(*) FROM items WHERE items.conversation = conversations.number)
FROM conversations ORDER BY number;

-- Each entry also holds the conversation's number, so that ties are in the order of creation.
CREATE INDEX activity_by_time ON activity (project, last_activity);

CREATE TRIGGER activity_inserted BEFORE INSERT ON activity
BEGIN
  SELECT RAISE(ABORT, 'no such conversation in this project')
  WHERE NOT EXISTS (
    SELECT 1 FROM conversations WHERE number = NEW.conversation AND project = NEW.project);
  SELECT RAISE(ABORT, 'this conversation has its row')
  WHERE EXISTS (SELECT 1 FROM activity WHERE conversation = NEW.conversation);
END;

CREATE TRIGGER activity_moved BEFORE UPDATE OF conversation, project ON activity
BEGIN
  SELECT RAISE(ABORT, 'a row of activity stays with its conversation');
END;

CREATE TRIGGER activity_set_back BEFORE UPDATE OF last_activity ON activity
WHEN NEW.last_activity < OLD.last_activity
BEGIN
  SELECT RAISE(ABORT, 'the last activity does not go back');
END;

CREATE TRIGGER activity_deleted BEFORE DELETE ON activity
BEGIN
  SELECT RAISE(ABORT, 'a row of activity goes with its conversation')
  WHERE EXISTS (SELECT 1 FROM conversations WHERE number = OLD.conversation);
END;

CREATE TRIGGER conversations_activity_begun AFTER INSERT ON conversations
BEGIN
  INSERT INTO activity (conversation, project, last_activity, item_count)
  VALUES (
    NEW.number, NEW.project,
    NEW.created_at * 1000000 + min(
      999999,
      (instr('0123456789abcdef', substr(NEW.id, 14, 1)) - 1) * 65536
        + (instr('0123456789abcdef', substr(NEW.id, 15, 1)) - 1) * 4096
        + (instr('0123456789abcdef', substr(NEW.id, 16, 1)) - 1) * 256
        + (instr('0123456789abcdef', substr(NEW.id, 17, 1)) - 1) * 16
        + (instr('0123456789abcdef', substr(NEW.id, 18, 1)) - 1)),
    0);
END;

-- The first leaves the index as it is. The second does nothing after the service, which has said a
-- later moment already.
CREATE TRIGGER items_counted AFTER INSERT ON items
BEGIN
  UPDATE activity SET item_count = item_count + 1 WHERE conversation = NEW.conversation;
  UPDATE activity SET last_activity = NEW.created_at * 1000000
  WHERE conversation = NEW.conversation AND last_activity < NEW.created_at * 1000000;
END;

CREATE TRIGGER items_uncounted AFTER DELETE ON items
BEGIN
  UPDATE activity SET item_count = item_count - 1 WHERE conversation = OLD.conversation;
END;

-- The row of activity goes first, so that the items are not counted down one by one.
DROP TRIGGER conversations_items_deleted;

CREATE TRIGGER conversations_items_deleted AFTER DELETE ON conversations
BEGIN
  DELETE FROM activity WHERE conversation = OLD.number;
  DELETE FROM items WHERE conversation = OLD.number;
END;
