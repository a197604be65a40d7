-- The part of a photo or recording that other phones have given. The part of the server is in the row of the
-- attachment itself, so neither giver can spoil the bytes of the other.
CREATE TABLE attachment_part (
  no   INTEGER PRIMARY KEY,                   -- of the attachment
  file BLOB NOT NULL UNIQUE,                  -- name of the sealed file
  key  BLOB NOT NULL,
  here INTEGER NOT NULL,                      -- plain bytes in the file
  tail BLOB                                   -- bytes after the last whole segment
) STRICT;

-- A part ends with its download. Where the file of the part became the file of the attachment, it stays.
CREATE TRIGGER attachment_part_deleted AFTER DELETE ON attachment_part
  WHEN NOT EXISTS (SELECT 1 FROM attachment WHERE file = OLD.file)
  BEGIN INSERT INTO attachment_garbage (file) VALUES (OLD.file); END;
CREATE TRIGGER attachment_part_over AFTER UPDATE OF state ON attachment WHEN NEW.state NOT IN (5, 6)
  BEGIN DELETE FROM attachment_part WHERE no = NEW.no; END;
CREATE TRIGGER attachment_part_orphaned AFTER DELETE ON attachment
  BEGIN DELETE FROM attachment_part WHERE no = OLD.no; END;
