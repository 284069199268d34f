-- The newest id that was ever stored, once its conversation is deleted: it may still be somebody's
-- place in a list, so what is created later must sort after it, also after a restart within the same
-- second or with a clock that was set back. (If a clock was far ahead once, and its conversations are
-- deleted, deleting this row too lets ids begin with the present time again.)
CREATE TABLE newest_deleted (
  number INTEGER PRIMARY KEY CHECK (number = 1),
  id TEXT NOT NULL
    CHECK (length(CAST(id AS BLOB)) = 53 AND instr(id, char(0)) = 0)
    CHECK (substr(id, 1, 5) = 'conv_' AND substr(id, 6) NOT GLOB '*[^0-9a-f]*')
) STRICT;

CREATE TRIGGER conversations_newest_deleted AFTER DELETE ON conversations
WHEN NOT EXISTS (SELECT 1 FROM conversations WHERE number > OLD.number)
BEGIN
  INSERT INTO newest_deleted VALUES (1, OLD.id)
  ON CONFLICT DO UPDATE SET id = max(id, excluded.id);
END;
