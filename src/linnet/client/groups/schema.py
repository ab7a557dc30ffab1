"""The tables of groups, one script of `linnet.client.schema`."""

from typing import Final

SCRIPT: Final = """
    -- What is held of each group (linnet.client.groups.book).
    CREATE TABLE groups (
        id BLOB PRIMARY KEY, settled BLOB NOT NULL, wanted INTEGER NOT NULL DEFAULT 0,
        roster INTEGER NOT NULL DEFAULT 0, roster_version INTEGER NOT NULL DEFAULT 0,
        wanted_roster INTEGER NOT NULL DEFAULT 0,
        proved INTEGER NOT NULL DEFAULT 0, member INTEGER NOT NULL, alarm BLOB) STRICT;
    CREATE TABLE group_entries (
        id BLOB NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL, sig BLOB NOT NULL,
        suspect INTEGER NOT NULL, PRIMARY KEY (id, version)) STRICT;
    CREATE TABLE group_lists (
        hash BLOB PRIMARY KEY, body BLOB NOT NULL, sig BLOB NOT NULL) STRICT;
    CREATE TABLE group_rosters (
        id BLOB NOT NULL, number INTEGER NOT NULL, version INTEGER NOT NULL,
        PRIMARY KEY (id, number)) STRICT, WITHOUT ROWID;
    CREATE TABLE group_pending (
        id BLOB PRIMARY KEY, body BLOB NOT NULL, sig BLOB NOT NULL, secret BLOB) STRICT;
    CREATE TABLE group_secrets (
        id BLOB NOT NULL, hash BLOB NOT NULL, secret BLOB NOT NULL,
        PRIMARY KEY (id, hash)) STRICT;
    CREATE TABLE group_asked (
        id BLOB PRIMARY KEY, at_ms INTEGER NOT NULL, times INTEGER NOT NULL) STRICT;
    -- Sender keys (linnet.client.groups.keys).
    CREATE TABLE sender_keys_own (id BLOB PRIMARY KEY, state BLOB NOT NULL) STRICT;
    CREATE TABLE sender_key_holders (
        id BLOB NOT NULL, account BLOB NOT NULL, account_key BLOB NOT NULL,
        device INTEGER NOT NULL, PRIMARY KEY (id, account, account_key, device)) STRICT,
        WITHOUT ROWID;
    CREATE TABLE sender_keys (
        distribution BLOB PRIMARY KEY, id BLOB NOT NULL, record BLOB NOT NULL,
        erase_old_at_ms INTEGER) STRICT;
    CREATE INDEX sender_keys_of ON sender_keys (id);
    """
