-- The form that decides a due date is the first row of an index, however many forms a subject has.
-- The id of a record breaks ties, because the numbers of records differ from phone to phone.
ALTER TABLE form ADD COLUMN id BLOB NOT NULL DEFAULT x'';
UPDATE form SET id = coalesce((SELECT id FROM record WHERE record.no = form.record), x'');
DROP INDEX form_of_place;
CREATE INDEX form_open_of_place ON form (place, template, planned_ms, id)
  WHERE standing IN (1, 2) AND planned_ms IS NOT NULL;
CREATE INDEX form_done_of_place ON form (place, template, ended_ms, id) WHERE standing = 3;
