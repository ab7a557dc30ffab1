"""The tables of sealed sending, one script of `linnet.client.schema`."""

from typing import Final

SCRIPT: Final = """
    -- Which devices were given which of our profile keys (linnet.client.sealed.profile).
    CREATE TABLE profile_given (
        account BLOB NOT NULL, device INTEGER NOT NULL, identity BLOB NOT NULL,
        number INTEGER NOT NULL, PRIMARY KEY (account, device, identity)) STRICT, WITHOUT ROWID;
    -- Receipts that are owed; and those that came, also of messages not known here yet.
    CREATE TABLE receipts_owed (
        account BLOB NOT NULL, id BLOB NOT NULL, at_ms INTEGER NOT NULL,
        PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;
    CREATE TABLE receipts_had (
        conversation BLOB NOT NULL, id BLOB NOT NULL, at_ms INTEGER NOT NULL,
        PRIMARY KEY (conversation, id)) STRICT, WITHOUT ROWID;
    -- How far sealed messages were read: by (server_timestamp, id), in place of a conv_seq.
    CREATE TABLE sealed_marks (
        conversation BLOB NOT NULL, account BLOB NOT NULL, server_ms INTEGER NOT NULL,
        id BLOB NOT NULL, unsaid INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (conversation, account)) STRICT, WITHOUT ROWID;
    """
