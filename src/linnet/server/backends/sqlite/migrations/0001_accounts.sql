-- Accounts, devices, keys and logins. Phone numbers, codes and refresh tokens are here as keyed
-- or plain hashes only; message tables are in later files.

CREATE TABLE accounts (
    id BLOB PRIMARY KEY,
    mailbox BLOB NOT NULL UNIQUE,
    key BLOB NOT NULL,
    number BLOB UNIQUE,  -- keyed hash; NULL once the number moved on
    backup BLOB NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE devices (
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    identity BLOB NOT NULL,
    registration_id INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE device_lists (
    account BLOB PRIMARY KEY,
    body BLOB NOT NULL,
    sig BLOB NOT NULL,
    version INTEGER NOT NULL,
    number INTEGER NOT NULL  -- of the device set
) STRICT;

-- The outbox of device sets: a row goes when delivery has decided it, never earlier.
CREATE TABLE set_changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account BLOB NOT NULL,
    mailbox BLOB NOT NULL,
    device_set INTEGER NOT NULL,
    devices BLOB NOT NULL  -- one byte a device id
) STRICT;

CREATE TABLE registrations (
    id BLOB PRIMARY KEY,
    number BLOB NOT NULL,
    code BLOB NOT NULL,
    account BLOB NOT NULL,
    started_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    guesses INTEGER NOT NULL DEFAULT 0,
    ticket BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX registrations_by_number ON registrations (number, started_ms);
CREATE INDEX registrations_by_time ON registrations (started_ms);

CREATE TABLE families (
    id BLOB PRIMARY KEY,
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    current BLOB NOT NULL,
    expires_ms INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0,
    previous BLOB,
    request BLOB,
    rotated_ms INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX families_by_device ON families (account, device);
CREATE INDEX families_by_expiry ON families (expires_ms);

-- Pre-keys that can be given out. kind: 1 signed, 2 last resort, 3 one-time, 4 one-time Kyber.
CREATE TABLE pre_keys (
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    id INTEGER NOT NULL,
    key BLOB NOT NULL,
    sig BLOB,  -- NULL for kind 3
    PRIMARY KEY (account, device, kind, id)
) STRICT;

-- Ids of pre-keys that were taken or replaced: they are never stored again.
CREATE TABLE spent_pre_keys (
    account BLOB NOT NULL,
    device INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (account, device, kind, id)
) STRICT, WITHOUT ROWID;
