-- A record with steps, such as a visit, is open until its steps have ended. Before this migration only cases were.
UPDATE records SET open = 1 WHERE kind = 5 AND state IN (101, 102);

-- A load under way may have passed the open records already, so the change counts as a later one.
UPDATE stream_records
SET open = 1, turned_at = (SELECT head + 1 FROM streams WHERE no = stream_no)
WHERE record_no IN (SELECT no FROM records WHERE kind = 5 AND state IN (101, 102));
