-- Whatever a meeting with another phone asks of each record, so that it loads none of them: who may read it, and a hash
-- over the ids of all its envelopes that are here. A record without a row is looked at whole.
CREATE TABLE record_sharing (
  record  BLOB PRIMARY KEY,
  readers BLOB,                               -- NULL: nobody can be told, because its state is not known
  held    BLOB NOT NULL
) WITHOUT ROWID, STRICT;

-- A row never outlives what it was made of: whoever changes that, and does not write the row, is found out.
CREATE TRIGGER sharing_of_new_envelope AFTER INSERT ON envelope
BEGIN DELETE FROM record_sharing WHERE record = NEW.record; END;
CREATE TRIGGER sharing_of_old_envelope AFTER DELETE ON envelope
BEGIN DELETE FROM record_sharing WHERE record = OLD.record; END;
CREATE TRIGGER sharing_of_new_pack AFTER INSERT ON pack
BEGIN DELETE FROM record_sharing WHERE record = NEW.record; END;
CREATE TRIGGER sharing_of_old_pack AFTER DELETE ON pack
BEGIN DELETE FROM record_sharing WHERE record = OLD.record; END;
CREATE TRIGGER sharing_of_old_record AFTER DELETE ON record
BEGIN DELETE FROM record_sharing WHERE record = OLD.id; END;
