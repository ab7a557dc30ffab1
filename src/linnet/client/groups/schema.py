"""The tables of groups, three scripts of `linnet.client.schema`."""

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

SECOND: Final = """
    -- Hash of the entry that `settled` stands at; the newest message opened, and its roster.
    ALTER TABLE groups ADD COLUMN head BLOB NOT NULL DEFAULT x'';
    ALTER TABLE groups ADD COLUMN last_seq INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE groups ADD COLUMN last_roster INTEGER NOT NULL DEFAULT 0;
    -- Which devices hold our present chain, as one hash (linnet.client.groups.audience).
    ALTER TABLE sender_keys_own ADD COLUMN audience BLOB NOT NULL DEFAULT x'';
    -- Large sets of addressees, each stored once (linnet.client.addressees).
    CREATE TABLE addressee_sets (hash BLOB PRIMARY KEY, packed BLOB NOT NULL) STRICT;
    -- Heads that a device quoted and nobody could show (linnet.client.groups.head_claims).
    CREATE TABLE head_claims (
        id BLOB NOT NULL, claimant BLOB NOT NULL, device INTEGER NOT NULL,
        version INTEGER NOT NULL, judged_ms INTEGER, PRIMARY KEY (id, claimant, device)) STRICT;
    -- Counts every change that may change whom a device may write to.
    CREATE TABLE list_changes (n INTEGER NOT NULL) STRICT;
    INSERT INTO list_changes VALUES (0);
    CREATE TRIGGER list_is_new AFTER INSERT ON lists
        BEGIN UPDATE list_changes SET n = n + 1; END;
    CREATE TRIGGER list_is_doubted
        AFTER UPDATE OF wanted_set, wanted_version, changed_body ON lists
        WHEN old.wanted_set IS NOT new.wanted_set OR old.wanted_version IS NOT new.wanted_version
            OR (old.changed_body IS NULL) IS NOT (new.changed_body IS NULL)
        BEGIN UPDATE list_changes SET n = n + 1; END;
    CREATE TRIGGER list_is_missing AFTER INSERT ON missing_lists
        BEGIN UPDATE list_changes SET n = n + 1; END;
    CREATE TRIGGER list_alarm_sounds AFTER INSERT ON list_alarms
        BEGIN UPDATE list_changes SET n = n + 1; END;
    CREATE TRIGGER list_alarm_ends AFTER UPDATE ON list_alarms
        BEGIN UPDATE list_changes SET n = n + 1; END;
    CREATE TRIGGER list_is_found AFTER DELETE ON missing_lists
        BEGIN UPDATE list_changes SET n = n + 1; END;
    """

THIRD: Final = """
    -- Sender keys by whose they are: nobody takes a distribution id in another's name.
    DROP TABLE sender_keys;
    CREATE TABLE sender_keys (
        distribution BLOB NOT NULL, id BLOB NOT NULL, account BLOB NOT NULL,
        device INTEGER NOT NULL, record BLOB NOT NULL, erase_old_at_ms INTEGER,
        PRIMARY KEY (distribution, account, device, id)) STRICT;
    CREATE INDEX sender_keys_of ON sender_keys (id);
    """
