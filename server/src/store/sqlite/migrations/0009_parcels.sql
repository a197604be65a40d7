-- Parcels that couriers brought, so that each counts once. Old days go.

CREATE TABLE parcels (
    hash    BLOB PRIMARY KEY,
    day     INTEGER NOT NULL,          -- since 1970-01-01, UTC
    courier BLOB NOT NULL,             -- device
    bytes   INTEGER NOT NULL,
    outcome INTEGER NOT NULL           -- as on the wire
) STRICT, WITHOUT ROWID;
CREATE INDEX parcels_by_courier ON parcels (day, courier, bytes);
