-- What queries stand on: conversations of a project, and those that have a key, in the order of
-- creation. (metadata_by_pair has those that have a pair.)

-- A page is a range of numbers, so numbers must follow the order of creation, which is that of the
-- ids; then the indices, which all end in the number, answer in that order. Whoever inserts by hand
-- keeps it too: between the neighbours by number, or after all others. (Nothing was released before
-- this migration; `conversationd check` names a conversation that came out of order before it.)
CREATE TRIGGER conversations_ordered AFTER INSERT ON conversations
BEGIN
  SELECT RAISE(ABORT, 'conversations are numbered in the order of their ids')
  WHERE NEW.id < (
      SELECT id FROM conversations WHERE number < NEW.number ORDER BY number DESC LIMIT 1)
    OR NEW.id > (
      SELECT id FROM conversations WHERE number > NEW.number ORDER BY number LIMIT 1);
END;

-- Each entry also holds the number, as every index of SQLite holds its row's key.
CREATE INDEX conversations_by_project ON conversations (project);

-- Without the value, so that an update that changes values alone leaves it as it is.
CREATE INDEX metadata_by_key ON metadata (project, key, conversation);
