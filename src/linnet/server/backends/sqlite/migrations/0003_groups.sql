-- Groups: their logs as received, where each stands, and the rosters made from them. Titles are
-- ciphertext inside entries.

CREATE TABLE group_heads (
    id BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    hash BLOB NOT NULL,
    state BLOB NOT NULL  -- what the log folds to at this version
) STRICT;

CREATE TABLE group_entries (
    of BLOB NOT NULL,
    version INTEGER NOT NULL,
    hash BLOB NOT NULL,
    body BLOB NOT NULL,
    sig BLOB NOT NULL,
    list BLOB NOT NULL,
    PRIMARY KEY (of, version)
) STRICT;

-- Device lists that entries cite, once each whichever group cites them.
CREATE TABLE group_lists (hash BLOB PRIMARY KEY, body BLOB NOT NULL, sig BLOB NOT NULL) STRICT;

CREATE TABLE group_members (
    account BLOB NOT NULL,
    of BLOB NOT NULL,
    removed INTEGER,  -- version of the entry that ended it; NULL for a member
    PRIMARY KEY (account, of)
) STRICT, WITHOUT ROWID;

-- Groups whose roster must be made anew. Set again, a mark has a new ticket.
CREATE TABLE group_marks (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT,
    of BLOB NOT NULL UNIQUE
) STRICT;

-- The newest roster of each group: the outbox of rosters is where decided < number.
CREATE TABLE group_rosters (
    of BLOB PRIMARY KEY,
    number INTEGER NOT NULL,
    roster BLOB NOT NULL,
    decided INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX group_rosters_undecided ON group_rosters (of) WHERE decided < number;
