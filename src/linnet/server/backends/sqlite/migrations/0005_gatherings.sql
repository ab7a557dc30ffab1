-- Groups in delivery: the roster that messages must name, and who is in the group or was.
-- Bodies of group messages live in one table per segment (body_1, body_2 …; `bodies.py` makes them).

CREATE TABLE gathering (
  id BLOB PRIMARY KEY, number INTEGER NOT NULL, version INTEGER NOT NULL, hash BLOB NOT NULL,
  seats BLOB NOT NULL, members BLOB NOT NULL
) STRICT;

ALTER TABLE conversation ADD COLUMN roster INTEGER NOT NULL DEFAULT 0;  -- 0: not a group
