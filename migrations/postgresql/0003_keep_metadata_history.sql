-- The sets that conversations had before, one row each, where the setting `metadata_history.days` has
-- them kept. The set that a conversation has now is not here.
--
-- A version is the moment at which the set was replaced, in Unix microseconds, and larger than every
-- earlier one of its conversation.

CREATE TABLE metadata_history (
  project bigint NOT NULL,
  conversation bytea NOT NULL,
  version bigint NOT NULL CHECK (version BETWEEN 0 AND 9007199254740991),
  metadata jsonb NOT NULL CHECK (jsonb_typeof(metadata) = 'object'),
  replaced_by text COLLATE "C" CHECK (char_length(replaced_by) > 0),
  request_id text COLLATE "C" NOT NULL CHECK (char_length(request_id) > 0),
  PRIMARY KEY (project, conversation, version)
);

CREATE INDEX metadata_history_by_age ON metadata_history (version);

-- For everybody, servers too: also one that does not know this table deletes a conversation with its
-- history.
CREATE FUNCTION conversation_history_deleted() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  DELETE FROM metadata_history AS former USING gone
    WHERE former.project = gone.project AND former.conversation = gone.id;
  RETURN NULL;
END $$;

CREATE TRIGGER conversations_history_deleted AFTER DELETE ON conversations
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
  EXECUTE FUNCTION conversation_history_deleted();

CREATE FUNCTION metadata_history_inserted() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM 1 FROM conversations WHERE project = NEW.project AND id = NEW.conversation;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no such conversation in this project';
  END IF;
  PERFORM 1 FROM metadata_history
    WHERE project = NEW.project AND conversation = NEW.conversation AND version >= NEW.version;
  IF FOUND THEN
    RAISE EXCEPTION 'a version is larger than every earlier one of its conversation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER metadata_history_inserted BEFORE INSERT ON metadata_history
  FOR EACH ROW WHEN (NOT is_lane()) EXECUTE FUNCTION metadata_history_inserted();

CREATE TRIGGER metadata_history_updated BEFORE UPDATE ON metadata_history
  FOR EACH ROW EXECUTE FUNCTION refuse('a former set never changes: delete it');

-- For people: what changed when. `SELECT * FROM metadata_changes WHERE conversation = 'conv_…';`
CREATE VIEW metadata_changes AS
SELECT
  'conv_' || encode(former.conversation, 'hex') AS conversation,
  to_timestamp(former.version / 1000000.0) AS changed_at,
  former.replaced_by AS changed_by,
  former.request_id,
  former.metadata AS before,
  coalesce(
    (
      SELECT following.metadata FROM metadata_history AS following
      WHERE following.project = former.project
        AND following.conversation = former.conversation AND following.version > former.version
      ORDER BY following.version LIMIT 1
    ),
    (
      SELECT conversations.metadata FROM conversations
      WHERE conversations.project = former.project AND conversations.id = former.conversation
    )
  ) AS after,
  former.version,
  former.project,
  former.conversation AS number
FROM metadata_history AS former;
