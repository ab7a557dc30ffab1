-- Sealed sending: SHA-256 of the key that requests without a token must show.
ALTER TABLE accounts ADD COLUMN delivery_key BLOB;
