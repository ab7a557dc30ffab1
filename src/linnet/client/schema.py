"""The tables of an account directory, and how an older file becomes a newer one.

Plaintext and private keys are in this file: it is as safe as the disk it lies on.
"""

from typing import Final

from linnet.client.groups import schema as groups_schema
from linnet.client.sealed import schema as sealed_schema

MIGRATIONS: Final = (
    """
    -- Named single values: identity, login, cursor, clock (linnet.client.facts).
    CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE signed_pre_keys (
        id INTEGER PRIMARY KEY, private BLOB NOT NULL, public BLOB NOT NULL,
        signature BLOB NOT NULL, created_ms INTEGER NOT NULL, replaced_ms INTEGER,
        uploaded INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE TABLE one_time_pre_keys (
        id INTEGER PRIMARY KEY, private BLOB NOT NULL, public BLOB NOT NULL,
        uploaded INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE TABLE kem_pre_keys (
        id INTEGER PRIMARY KEY, seed BLOB NOT NULL, public BLOB NOT NULL,
        signature BLOB NOT NULL, created_ms INTEGER NOT NULL, last_resort INTEGER NOT NULL,
        replaced_ms INTEGER, uploaded INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE TABLE last_resort_uses (
        kem_id INTEGER NOT NULL, signed_id INTEGER NOT NULL, base_key BLOB NOT NULL,
        PRIMARY KEY (kem_id, signed_id, base_key)) STRICT, WITHOUT ROWID;

    CREATE TABLE sessions (
        account BLOB NOT NULL, device INTEGER NOT NULL, identity BLOB NOT NULL,
        record BLOB NOT NULL, PRIMARY KEY (account, device, identity)) STRICT;

    -- The newest checked device list under the pinned account key; `changed_*` holds a valid
    -- list under another key until somebody accepts it. `wanted_*` are claims not yet proven.
    CREATE TABLE lists (
        account BLOB PRIMARY KEY, account_key BLOB NOT NULL, body BLOB NOT NULL,
        sig BLOB NOT NULL, fetched_ms INTEGER NOT NULL,
        wanted_set INTEGER NOT NULL DEFAULT 0, wanted_version INTEGER NOT NULL DEFAULT 0,
        changed_body BLOB, changed_sig BLOB) STRICT;
    CREATE TABLE numbers (number TEXT PRIMARY KEY, account BLOB NOT NULL) STRICT;

    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, conversation BLOB NOT NULL,
        sender BLOB NOT NULL, device INTEGER NOT NULL, id BLOB NOT NULL, conv_seq INTEGER,
        kind TEXT NOT NULL, body BLOB NOT NULL, author_key BLOB, state TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '', arrived INTEGER NOT NULL, sent_ms INTEGER NOT NULL,
        received_ms INTEGER, UNIQUE (conversation, sender, id)) STRICT;
    CREATE INDEX messages_in_order ON messages (conversation, conv_seq);
    CREATE INDEX messages_unticked ON messages (conversation, conv_seq) WHERE state = 'sent';
    CREATE INDEX messages_by_id ON messages (id);
    CREATE INDEX messages_arrived ON messages (seq) WHERE arrived = 1;
    CREATE TABLE parked (
        conversation BLOB NOT NULL, sender BLOB NOT NULL, id BLOB NOT NULL,
        frame BLOB NOT NULL, parked_ms INTEGER NOT NULL,
        PRIMARY KEY (conversation, sender, id)) STRICT;
    CREATE TABLE marks (
        conversation BLOB NOT NULL, account BLOB NOT NULL, intervals BLOB NOT NULL,
        PRIMARY KEY (conversation, account)) STRICT;

    -- What is not yet answered. `try` names the frame that goes out; every try is kept until then,
    -- and of `unknown` messages (not offered any more) for as long as an answer could still come.
    CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
        conversation BLOB NOT NULL, peer BLOB NOT NULL, counter INTEGER NOT NULL,
        kind TEXT NOT NULL, body BLOB NOT NULL, sent_ms INTEGER NOT NULL,
        try INTEGER, tries INTEGER NOT NULL DEFAULT 0, hold_until_ms INTEGER NOT NULL DEFAULT 0,
        holds INTEGER NOT NULL DEFAULT 0, unknown INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE TABLE tries (
        id BLOB NOT NULL, try INTEGER NOT NULL, commitment BLOB NOT NULL, z BLOB NOT NULL,
        addressees BLOB NOT NULL, own_version INTEGER NOT NULL, frame BLOB,
        PRIMARY KEY (id, try)) STRICT;
    CREATE TABLE accepted (
        id BLOB PRIMARY KEY, conversation BLOB NOT NULL, peer BLOB NOT NULL,
        z BLOB NOT NULL, addressees BLOB NOT NULL, accepted_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE counters (
        conversation BLOB PRIMARY KEY, last INTEGER NOT NULL DEFAULT 0,
        attached_version INTEGER NOT NULL DEFAULT 0) STRICT;
    """,
    """
    CREATE INDEX outbox_turns ON outbox (conversation, seq) WHERE unknown = 0;
    """,
    """
    -- A lane keeps its order; `way` chooses who seals; `devices` narrows a control message;
    -- `peer_key` is the account key that was pinned when the message was written.
    ALTER TABLE outbox ADD COLUMN lane BLOB NOT NULL DEFAULT x'';
    ALTER TABLE outbox ADD COLUMN way TEXT NOT NULL DEFAULT 'pair';
    ALTER TABLE outbox ADD COLUMN devices BLOB;
    ALTER TABLE outbox ADD COLUMN peer_key BLOB;
    UPDATE outbox SET lane = conversation;
    DROP INDEX outbox_turns;
    CREATE INDEX outbox_lanes ON outbox (lane, seq) WHERE unknown = 0;

    -- Messages that were read and are no rows of history, so that none is read twice.
    CREATE TABLE seen (
        conversation BLOB NOT NULL, sender BLOB NOT NULL, id BLOB NOT NULL,
        seen_ms INTEGER NOT NULL, PRIMARY KEY (conversation, sender, id)) STRICT, WITHOUT ROWID;
    CREATE INDEX seen_since ON seen (seen_ms);
    -- What was dropped, damaged or lost, by why (linnet.client.health).
    CREATE TABLE counts (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    """,
    """
    -- Devices that joined or left an account (linnet.client.device_changes).
    CREATE TABLE device_changes (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, account BLOB NOT NULL, device INTEGER NOT NULL,
        identity BLOB NOT NULL, kind INTEGER NOT NULL, name BLOB NOT NULL,
        joined INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT;
    """,
    """
    -- What own devices keep in step (linnet.client.synced), who has read how far, and numbers that
    -- were seen to have another account.
    CREATE TABLE synced (
        scope TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, stamp_ms INTEGER NOT NULL,
        PRIMARY KEY (scope, key)) STRICT, WITHOUT ROWID;
    CREATE TABLE read_marks (
        conversation BLOB NOT NULL, account BLOB NOT NULL, up_to INTEGER NOT NULL,
        here INTEGER NOT NULL DEFAULT 0, said INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (conversation, account)) STRICT;
    CREATE TABLE moved_numbers (number TEXT PRIMARY KEY, account BLOB NOT NULL) STRICT;
    """,
    """
    -- `fresh`: a control message that opens a session of its own. `withheld`: devices that a try
    -- leaves out because sending is narrowed.
    ALTER TABLE outbox ADD COLUMN fresh INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tries ADD COLUMN withheld BLOB NOT NULL DEFAULT x'90';
    -- How a row of history came, where that is not the ordinary way: narrowed, resent.
    ALTER TABLE messages ADD COLUMN note TEXT NOT NULL DEFAULT '';

    -- What can be sent again, to whom, and who proved to have it (linnet.client.accepted).
    ALTER TABLE accepted ADD COLUMN kind TEXT NOT NULL DEFAULT 'text';
    ALTER TABLE accepted ADD COLUMN peer_key BLOB;
    ALTER TABLE accepted ADD COLUMN conv_seq INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX accepted_since ON accepted (accepted_ms);
    CREATE TABLE withheld (
        id BLOB NOT NULL, account BLOB NOT NULL, device INTEGER NOT NULL, identity BLOB NOT NULL,
        PRIMARY KEY (id, account, device)) STRICT, WITHOUT ROWID;
    CREATE INDEX withheld_by_account ON withheld (account);
    CREATE TABLE proven_read (
        id BLOB NOT NULL, account BLOB NOT NULL, device INTEGER NOT NULL,
        PRIMARY KEY (id, account, device)) STRICT, WITHOUT ROWID;
    CREATE TABLE resent (
        id BLOB NOT NULL, account BLOB NOT NULL, device INTEGER NOT NULL, times INTEGER NOT NULL,
        PRIMARY KEY (id, account, device)) STRICT, WITHOUT ROWID;
    -- The primary device of an account when something was last sent to it.
    CREATE TABLE primaries (
        account BLOB PRIMARY KEY, device INTEGER NOT NULL, identity BLOB NOT NULL) STRICT;

    -- What could not be decrypted, and whom we asked for it when (linnet.client.lost).
    CREATE TABLE lost (
        sender BLOB NOT NULL, id BLOB NOT NULL, device INTEGER NOT NULL, frame BLOB NOT NULL,
        lost_ms INTEGER NOT NULL, asks INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (sender, id)) STRICT;
    CREATE TABLE asked (
        account BLOB NOT NULL, device INTEGER NOT NULL, asked_ms INTEGER NOT NULL,
        PRIMARY KEY (account, device)) STRICT, WITHOUT ROWID;
    """,
    groups_schema.SCRIPT,
    """
    -- Lists that are quoted and not held, by who quotes them (linnet.client.claims); lists that
    -- exist and cannot be had; proofs of two lists that contradict each other.
    CREATE TABLE claims (
        account BLOB NOT NULL, claimant BLOB NOT NULL, device INTEGER NOT NULL,
        version INTEGER NOT NULL, hash BLOB NOT NULL, claimed_ms INTEGER NOT NULL,
        judged_ms INTEGER, PRIMARY KEY (account, claimant, device)) STRICT;
    CREATE INDEX claims_by_claimant ON claims (claimant);
    CREATE TABLE missing_lists (
        account BLOB PRIMARY KEY, number INTEGER NOT NULL, version INTEGER NOT NULL,
        since_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE list_alarms (
        account BLOB NOT NULL, proof BLOB NOT NULL, above INTEGER NOT NULL,
        raised_ms INTEGER NOT NULL, accepted INTEGER NOT NULL DEFAULT 0,
        ended INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (account, proof)) STRICT;
    """,
    groups_schema.SECOND,
    sealed_schema.SCRIPT,
    groups_schema.THIRD,
    """
    -- Whether a message is held because of a trouble of the server's that may be over.
    ALTER TABLE outbox ADD COLUMN passing INTEGER NOT NULL DEFAULT 0;
    """,
)
"""One script a version, in order; `user_version` says how many were run."""
