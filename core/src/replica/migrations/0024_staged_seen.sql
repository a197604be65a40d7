-- When a sync first found the file staged, ms UTC by the clock of the server.
ALTER TABLE attachment ADD COLUMN seen_ms INTEGER;
