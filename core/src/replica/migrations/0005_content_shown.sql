-- What a row took from the content document, and of which envelopes that was made (CBOR). NULL: not known.
ALTER TABLE record ADD COLUMN shown BLOB;
