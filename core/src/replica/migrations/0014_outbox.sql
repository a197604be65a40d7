-- With the id in it, the outbox is counted and compared without its bytes.
DROP INDEX envelope_outbox;
CREATE INDEX envelope_outbox ON envelope (no, id) WHERE standing = 0;
-- What an attestation or a proof still proves is found when the phone tidies up.
CREATE INDEX envelope_attested ON envelope (attestation) WHERE attestation IS NOT NULL;
CREATE INDEX pack_proven ON pack (proof);
