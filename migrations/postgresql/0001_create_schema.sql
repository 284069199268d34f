-- The whole schema of conversationd on PostgreSQL 15 or newer: who owns what, and the limits that
-- no writer can break.
--
-- The servers write in groups, from sessions that say `SET conversationd.lane = 'on'`, and keep the
-- rows of `pairs` and `keys` and the counts themselves. For everybody else triggers do it, and
-- refuse what would break a rule; they run for no row that a server writes. There are no foreign
-- keys from the large tables, which would cost each insert a third of its time: triggers look
-- instead, and `conversationd check` finds what is left over.
--
-- Text is compared and sorted by its bytes, never by a language (COLLATE "C"). Every key begins
-- with the project, so that no query of one walks through the rows of another.

CREATE TABLE projects (
  number bigint PRIMARY KEY CHECK (number > 0),
  name text COLLATE "C" NOT NULL UNIQUE CHECK (char_length(name) BETWEEN 1 AND 64)
);

INSERT INTO projects (number, name) VALUES (1, 'default');

-- The id is the public one without `conv_`: `encode(id, 'hex')` writes it. It begins with the second
-- of the creation, and 5 digits for the microsecond. The metadata is here; `pairs` and `keys` are
-- its indices. The last activity is the moment of the newest append of items, or of the creation,
-- in Unix microseconds. Positions of items are taken from `last_position` and never used again.
CREATE TABLE conversations (
  project bigint NOT NULL DEFAULT 1,
  id bytea NOT NULL CHECK (octet_length(id) = 24),
  created_at bigint NOT NULL
    CHECK (created_at = ((get_byte(id, 0)::bigint * 256 + get_byte(id, 1)) * 256
      + get_byte(id, 2)) * 256 + get_byte(id, 3)),
  metadata jsonb NOT NULL DEFAULT '{}'
    CONSTRAINT metadata_is_an_object CHECK (jsonb_typeof(metadata) = 'object')
    CONSTRAINT metadata_has_at_most_16_pairs
      CHECK (jsonb_array_length(jsonb_path_query_array(metadata, 'strict $.*')) <= 16)
    CONSTRAINT metadata_values_are_strings
      CHECK (NOT jsonb_path_exists(metadata, 'strict $.* ? (@.type() != "string")')),
  last_activity bigint NOT NULL CHECK (last_activity BETWEEN 0 AND 4294967295999999),
  item_count bigint NOT NULL DEFAULT 0 CHECK (item_count >= 0),
  last_position bigint NOT NULL DEFAULT 0 CHECK (last_position >= item_count),
  PRIMARY KEY (project, id)
) WITH (fillfactor = 80);

CREATE INDEX conversations_by_activity ON conversations (project, last_activity, id);

-- One pair is one row, for queries by pair.
CREATE TABLE pairs (
  project bigint NOT NULL,
  key text COLLATE "C" NOT NULL
    CONSTRAINT key_has_at_most_64_characters CHECK (char_length(key) <= 64),
  value text COLLATE "C" NOT NULL
    CONSTRAINT value_has_at_most_512_characters CHECK (char_length(value) <= 512),
  conversation bytea NOT NULL,
  PRIMARY KEY (project, key, value, conversation)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- One key of a set is one row, for queries by its presence; an update of values leaves it as it is.
CREATE TABLE keys (
  project bigint NOT NULL,
  key text COLLATE "C" NOT NULL
    CONSTRAINT key_has_at_most_64_characters CHECK (char_length(key) <= 64),
  conversation bytea NOT NULL,
  PRIMARY KEY (project, key, conversation)
);

-- `fields` is the item's JSON object without `id` and `type`, as text of `byte_count` bytes: an
-- item comes back byte for byte. An item never changes.
CREATE TABLE items (
  project bigint NOT NULL DEFAULT 1,
  conversation bytea NOT NULL,
  position bigint NOT NULL CHECK (position > 0),
  id text COLLATE "C" NOT NULL CHECK (id ~ '^[0-9A-Za-z_-]{1,64}$'),
  type text COLLATE "C" NOT NULL CHECK (type ~ '^[a-z0-9_]{1,64}$'),
  created_at bigint NOT NULL CHECK (created_at BETWEEN 0 AND 4294967295),
  byte_count integer NOT NULL CHECK (byte_count > 1),
  fields json NOT NULL CHECK (json_typeof(fields) = 'object'),
  PRIMARY KEY (project, conversation, position)
);

-- A conversation has an id once.
CREATE UNIQUE INDEX items_by_id ON items (project, id, conversation);

-- Creations that carried an Idempotency-Key, and what was answered. A record goes with its
-- conversation, since it holds its metadata; the servers also remove it when it is too old.
CREATE TABLE idempotency_keys (
  project bigint NOT NULL,
  key text COLLATE "C" NOT NULL CHECK (key ~ '^[!-~]{1,255}$'),
  request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
  conversation bytea NOT NULL,
  answer text NOT NULL,
  content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 16),
  created_at bigint NOT NULL,
  PRIMARY KEY (project, key)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE INDEX idempotency_keys_by_conversation ON idempotency_keys (project, conversation);

-- Appends that carried one. The items of an append have consecutive positions, so its answer is
-- made of them anew, and what was deleted since is not in it.
CREATE TABLE append_idempotency_keys (
  project bigint NOT NULL,
  key text COLLATE "C" NOT NULL CHECK (key ~ '^[!-~]{1,255}$'),
  request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
  conversation bytea NOT NULL,
  first_position bigint NOT NULL,
  last_position bigint NOT NULL CHECK (last_position >= first_position - 1),
  created_at bigint NOT NULL,
  PRIMARY KEY (project, key)
);

CREATE INDEX append_idempotency_keys_by_age ON append_idempotency_keys (created_at);

CREATE INDEX append_idempotency_keys_by_conversation
  ON append_idempotency_keys (project, conversation);

-- Who may come in, to which project, and with which rights. The key itself is nowhere, only its
-- SHA-256. A row stays when its key is revoked: once there is a key, keys are required for good.
CREATE TABLE api_keys (
  hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
  number bigint NOT NULL UNIQUE CHECK (number BETWEEN 1 AND 2147483647),
  project bigint NOT NULL REFERENCES projects (number),
  name text COLLATE "C" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
  first_characters text NOT NULL CHECK (char_length(first_characters) <= 10),
  is_read_only boolean NOT NULL DEFAULT false,
  is_admin boolean NOT NULL DEFAULT false,
  created_at bigint NOT NULL,
  expires_at bigint,
  last_used_at bigint,
  revoked_at bigint,
  CHECK (NOT (is_admin AND is_read_only))
);

-- A name may be used again once its key is revoked.
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (project, name) WHERE revoked_at IS NULL;

-- One row for each connection that writes. It tells which group of that connection was committed
-- last, so that a commit whose answer was lost is found or run again, exactly once; and the newest
-- id that it made, after which all later ones sort, also when a clock is set back.
CREATE TABLE lanes (
  lane uuid PRIMARY KEY,
  last_group bigint NOT NULL DEFAULT 0,
  fence bigint NOT NULL DEFAULT 0,
  newest bytea NOT NULL DEFAULT '\x',
  used_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Whether the session is a server's, which keeps the rules and the indices itself.
CREATE FUNCTION is_lane() RETURNS boolean LANGUAGE sql STABLE AS
  $$ SELECT coalesce(current_setting('conversationd.lane', true), '') = 'on' $$;

-- For people: `WHERE project = 1 AND id = conversation_id('conv_…')`.
CREATE FUNCTION conversation_id(public_id text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS
  $$ SELECT decode(substr(public_id, 6), 'hex') $$;

-- The moment of creation in Unix microseconds; of ids that tell none, the second's last.
CREATE FUNCTION created_microseconds(id bytea) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT (((get_byte(id, 0)::bigint * 256 + get_byte(id, 1)) * 256 + get_byte(id, 2)) * 256
      + get_byte(id, 3)) * 1000000
    + least(get_byte(id, 4) * 4096 + get_byte(id, 5) * 16 + get_byte(id, 6) / 16, 999999)
$$;

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', TG_ARGV[0];
END $$;

-- Conversations: what people insert, change and delete.
CREATE FUNCTION conversation_before() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NOT EXISTS (SELECT 1 FROM projects WHERE number = NEW.project) THEN
      RAISE EXCEPTION 'no such project';
    END IF;
    NEW.last_activity := created_microseconds(NEW.id);
    NEW.item_count := 0;
    NEW.last_position := 0;
  ELSIF (NEW.project, NEW.id, NEW.created_at) IS DISTINCT FROM
      (OLD.project, OLD.id, OLD.created_at) THEN
    RAISE EXCEPTION 'a conversation itself never changes, only its metadata does';
  ELSIF pg_trigger_depth() = 1 AND (NEW.item_count, NEW.last_position, NEW.last_activity)
      IS DISTINCT FROM (OLD.item_count, OLD.last_position, OLD.last_activity) THEN
    RAISE EXCEPTION 'the activity of a conversation follows its items';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER conversations_before BEFORE INSERT OR UPDATE ON conversations
  FOR EACH ROW WHEN (NOT is_lane()) EXECUTE FUNCTION conversation_before();

CREATE FUNCTION conversation_after() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM pairs USING jsonb_each_text(OLD.metadata) AS was
      WHERE pairs.project = OLD.project AND pairs.key = was.key AND pairs.value = was.value
        AND pairs.conversation = OLD.id;
    DELETE FROM keys USING jsonb_object_keys(OLD.metadata) AS was (key)
      WHERE keys.project = OLD.project AND keys.key = was.key AND keys.conversation = OLD.id;
  END IF;
  IF TG_OP = 'DELETE' THEN
    DELETE FROM items WHERE project = OLD.project AND conversation = OLD.id;
    DELETE FROM idempotency_keys WHERE project = OLD.project AND conversation = OLD.id;
    DELETE FROM append_idempotency_keys WHERE project = OLD.project AND conversation = OLD.id;
  ELSE
    INSERT INTO pairs (project, key, value, conversation)
      SELECT NEW.project, key, value, NEW.id FROM jsonb_each_text(NEW.metadata);
    INSERT INTO keys (project, key, conversation)
      SELECT NEW.project, key, NEW.id FROM jsonb_object_keys(NEW.metadata) AS given (key);
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER conversations_after AFTER INSERT OR DELETE OR UPDATE OF metadata ON conversations
  FOR EACH ROW WHEN (NOT is_lane()) EXECUTE FUNCTION conversation_after();

CREATE TRIGGER pairs_edited BEFORE INSERT OR UPDATE OR DELETE ON pairs
  FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND NOT is_lane())
  EXECUTE FUNCTION refuse('the rows of pairs follow conversations.metadata: change that');

CREATE TRIGGER keys_edited BEFORE INSERT OR UPDATE OR DELETE ON keys
  FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND NOT is_lane())
  EXECUTE FUNCTION refuse('the rows of keys follow conversations.metadata: change that');

CREATE TRIGGER conversations_truncated BEFORE TRUNCATE ON conversations
  EXECUTE FUNCTION refuse('delete conversations, so that what belongs to them goes too');

-- Items: what people insert and delete. The database chooses the position.
CREATE FUNCTION item_inserted() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE conversations
    SET item_count = item_count + 1, last_position = last_position + 1,
      last_activity = greatest(last_activity, NEW.created_at * 1000000)
    WHERE project = NEW.project AND id = NEW.conversation
    RETURNING last_position INTO NEW.position;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no such conversation in this project';
  END IF;
  -- Its first and last bytes are the braces.
  NEW.fields := btrim(NEW.fields::text, E' \n\r\t');
  NEW.byte_count := octet_length(NEW.fields::text);
  RETURN NEW;
END $$;

CREATE TRIGGER items_inserted BEFORE INSERT ON items
  FOR EACH ROW WHEN (NOT is_lane()) EXECUTE FUNCTION item_inserted();

CREATE FUNCTION item_deleted() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE conversations SET item_count = item_count - 1
    WHERE project = OLD.project AND id = OLD.conversation;
  RETURN NULL;
END $$;

CREATE TRIGGER items_deleted AFTER DELETE ON items
  FOR EACH ROW WHEN (NOT is_lane()) EXECUTE FUNCTION item_deleted();

CREATE TRIGGER items_updated BEFORE UPDATE ON items
  FOR EACH ROW EXECUTE FUNCTION refuse('an item never changes: delete it, and insert another');

-- The records of idempotency keys.
CREATE FUNCTION idempotency_key_inserted() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM 1 FROM conversations WHERE project = NEW.project AND id = NEW.conversation;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no such conversation in this project';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER idempotency_keys_inserted BEFORE INSERT ON idempotency_keys
  FOR EACH ROW WHEN (NOT is_lane()) EXECUTE FUNCTION idempotency_key_inserted();

CREATE TRIGGER append_idempotency_keys_inserted BEFORE INSERT ON append_idempotency_keys
  FOR EACH ROW WHEN (NOT is_lane()) EXECUTE FUNCTION idempotency_key_inserted();

CREATE TRIGGER idempotency_keys_updated BEFORE UPDATE ON idempotency_keys
  FOR EACH ROW EXECUTE FUNCTION refuse('the record of an idempotency key never changes');

CREATE TRIGGER append_idempotency_keys_updated BEFORE UPDATE ON append_idempotency_keys
  FOR EACH ROW EXECUTE FUNCTION refuse('the record of an idempotency key never changes');

-- API keys and projects.
CREATE FUNCTION api_key_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.hash, NEW.number, NEW.project, NEW.first_characters, NEW.is_read_only, NEW.is_admin,
      NEW.created_at) IS DISTINCT FROM (OLD.hash, OLD.number, OLD.project, OLD.first_characters,
      OLD.is_read_only, OLD.is_admin, OLD.created_at) THEN
    RAISE EXCEPTION 'of a key only its name, its end and its last use change';
  END IF;
  IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
    RAISE EXCEPTION 'a revoked key stays revoked';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER api_keys_updated BEFORE UPDATE ON api_keys
  FOR EACH ROW EXECUTE FUNCTION api_key_updated();

CREATE TRIGGER api_keys_deleted BEFORE DELETE ON api_keys
  FOR EACH ROW EXECUTE FUNCTION refuse('a key is revoked, not deleted: set revoked_at');

CREATE TRIGGER api_keys_truncated BEFORE TRUNCATE ON api_keys
  EXECUTE FUNCTION refuse('a key is revoked, not deleted: set revoked_at');

CREATE FUNCTION project_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.number <> OLD.number THEN
      RAISE EXCEPTION 'the number of a project never changes';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.number = 1 OR EXISTS (SELECT 1 FROM conversations WHERE project = OLD.number)
      OR EXISTS (SELECT 1 FROM api_keys WHERE project = OLD.number) THEN
    RAISE EXCEPTION 'the default project, and one with conversations or keys, stays';
  END IF;
  RETURN OLD;
END $$;

CREATE TRIGGER projects_changed BEFORE UPDATE OR DELETE ON projects
  FOR EACH ROW EXECUTE FUNCTION project_changed();

-- For people: one row a conversation. `SELECT * FROM overview;`
CREATE VIEW overview AS
SELECT
  'conv_' || encode(conversations.id, 'hex') AS id,
  to_timestamp(conversations.created_at) AS created_at,
  projects.name AS project,
  conversations.metadata,
  conversations.item_count,
  to_timestamp(conversations.last_activity / 1000000.0) AS last_activity
FROM conversations JOIN projects ON projects.number = conversations.project;

-- For people: a conversation as text. `SELECT role, text FROM transcript
-- WHERE project = 1 AND number = conversation_id('conv_…') ORDER BY position;`
CREATE VIEW transcript AS
SELECT
  'conv_' || encode(items.conversation, 'hex') AS conversation,
  to_timestamp(items.created_at) AS created_at,
  items.id,
  items.type,
  items.fields ->> 'role' AS role,
  coalesce(
    CASE json_typeof(items.fields -> 'content')
      WHEN 'array' THEN (
        SELECT string_agg(
          CASE json_typeof(part.value)
            WHEN 'object' THEN coalesce(
              part.value ->> 'text', part.value ->> 'refusal',
              '[' || (part.value ->> 'type') || ']')
            ELSE part.value #>> '{}'
          END, ' ' ORDER BY part.ordinality)
        FROM json_array_elements(items.fields -> 'content') WITH ORDINALITY AS part
      )
      ELSE items.fields ->> 'content'
    END,
    items.fields ->> 'output', items.fields ->> 'arguments', items.fields ->> 'input', ''
  ) AS text,
  items.project,
  items.conversation AS number,
  items.position
FROM items;
