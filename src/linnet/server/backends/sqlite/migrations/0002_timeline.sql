-- Delivery. Rows of mailboxes live in one table per segment (entry_1, entry_2 …), appended in
-- arrival order; everything below is state of the whole store, kept outside segments so that a
-- segment can be dropped whole. `segments.py` makes the segment tables.

CREATE TABLE segment (
  number INTEGER PRIMARY KEY,
  last_position INTEGER NOT NULL,   -- 0 while it is open
  latest_ms INTEGER NOT NULL,       -- newest server_timestamp in it
  first_id_ms INTEGER NOT NULL,     -- range of the times inside its ids
  last_id_ms INTEGER NOT NULL
) STRICT;

-- What follows is folded in from segments and mark_log now and then; between folds the newest
-- values follow from rows above folded_position and from mark_log.
CREATE TABLE conversation (
  id BLOB PRIMARY KEY, conv_seq INTEGER NOT NULL, clock INTEGER NOT NULL, members BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE mailbox (id BLOB PRIMARY KEY, head INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE mark (
  conversation BLOB NOT NULL, account BLOB NOT NULL, device INTEGER NOT NULL,
  intervals BLOB NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (conversation, account, device)
) STRICT, WITHOUT ROWID;
CREATE TABLE cursor (
  account BLOB NOT NULL, device INTEGER NOT NULL, acked INTEGER NOT NULL, gap INTEGER NOT NULL,
  PRIMARY KEY (account, device)
) STRICT, WITHOUT ROWID;

-- Marks and cursors since the last fold, in the order they were committed. Either half may be null.
CREATE TABLE mark_log (
  n INTEGER PRIMARY KEY,
  account BLOB NOT NULL, device INTEGER NOT NULL,
  acked INTEGER, gap INTEGER,
  conversation BLOB, intervals BLOB, at INTEGER
) STRICT;

CREATE TABLE device_set (
  account BLOB PRIMARY KEY, mailbox BLOB NOT NULL, number INTEGER NOT NULL, devices BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE timeline (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  epoch INTEGER NOT NULL, folded_position INTEGER NOT NULL, clock_ms INTEGER NOT NULL
) STRICT;
INSERT INTO timeline VALUES (1, 0, 0, 0);
