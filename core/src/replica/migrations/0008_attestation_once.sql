-- Each attestation is kept once. Those of before are not looked at again: NULL.
ALTER TABLE attestation ADD COLUMN hash BLOB;
CREATE UNIQUE INDEX attestation_hash ON attestation (hash);
