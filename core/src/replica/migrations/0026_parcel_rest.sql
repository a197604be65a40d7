-- A parcel that the server does not take now rests, longer each time. The tag is made by this phone from the phone that
-- handed the parcel over, so each phone has one parcel here.
ALTER TABLE parcel ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE parcel ADD COLUMN due_ms INTEGER NOT NULL DEFAULT 0;  -- of this phone's clock, UTC
