-- Linking and recovery: meetings of a new device with its primary, and the ticket (SHA-256) that
-- the first login of a device needs which did not come by a registration.

CREATE TABLE links (
    id BLOB PRIMARY KEY,
    offer BLOB NOT NULL,  -- empty once it expired and was cleared
    expires_ms INTEGER NOT NULL,
    account BLOB,         -- whose primary answered
    answer BLOB,
    slot BLOB,            -- the new device's keys until it is listed
    device INTEGER NOT NULL DEFAULT 0  -- its id once listed
) STRICT;
CREATE INDEX links_by_expiry ON links (expires_ms);

ALTER TABLE devices ADD COLUMN ticket BLOB;
