-- The sets that conversations had before, one row each, where the setting `metadata_history.days` has
-- them kept. `metadata` is a JSON object of strings. The set that a conversation has now is not here.
--
-- A version is the moment at which the set was replaced, in Unix microseconds, and larger than every
-- earlier one of its conversation.

CREATE TABLE metadata_history (
  conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
  version INTEGER NOT NULL CHECK (version BETWEEN 0 AND 9007199254740991),
  metadata TEXT NOT NULL
    CHECK (json_valid(metadata) AND substr(metadata, 1, 1) = '{' AND instr(metadata, char(0)) = 0),
  replaced_by TEXT CHECK (length(replaced_by) > 0 AND instr(replaced_by, char(0)) = 0),
  request_id TEXT NOT NULL CHECK (length(request_id) > 0 AND instr(request_id, char(0)) = 0),
  PRIMARY KEY (conversation, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX metadata_history_by_age ON metadata_history (version);

CREATE TRIGGER metadata_history_inserted BEFORE INSERT ON metadata_history
BEGIN
  SELECT RAISE(ABORT, 'no such conversation')
  WHERE NOT EXISTS (SELECT 1 FROM conversations WHERE number = NEW.conversation);
  SELECT RAISE(ABORT, 'a version is larger than every earlier one of its conversation')
  WHERE EXISTS (
    SELECT 1 FROM metadata_history
    WHERE conversation = NEW.conversation AND version >= NEW.version);
END;

CREATE TRIGGER metadata_history_updated BEFORE UPDATE ON metadata_history
BEGIN
  SELECT RAISE(ABORT, 'a former set never changes: delete it');
END;

CREATE TRIGGER conversations_history_deleted AFTER DELETE ON conversations
BEGIN
  DELETE FROM metadata_history WHERE conversation = OLD.number;
END;

-- For people: what changed when. `SELECT * FROM metadata_changes WHERE conversation = 'conv_…';`
CREATE VIEW metadata_changes AS
SELECT
  conversations.id AS conversation,
  strftime('%Y-%m-%dT%H:%M:%SZ', former.version / 1000000, 'unixepoch') AS changed_at,
  former.replaced_by AS changed_by,
  former.request_id AS request_id,
  former.metadata AS before,
  coalesce(
    (
      SELECT metadata FROM metadata_history AS next
      WHERE next.conversation = former.conversation AND next.version > former.version
      ORDER BY next.version LIMIT 1
    ),
    (
      SELECT json_group_object(pair.key, pair.value)
      FROM (
        SELECT key, value FROM metadata WHERE conversation = former.conversation ORDER BY key
      ) AS pair
    )
  ) AS after,
  former.version AS version
FROM metadata_history AS former JOIN conversations ON conversations.number = former.conversation
ORDER BY former.conversation, former.version;
