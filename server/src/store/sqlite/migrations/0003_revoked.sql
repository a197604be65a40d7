-- The server asks for the revoked devices several times a second.

CREATE INDEX devices_revoked ON devices (id) WHERE revoked_ms IS NOT NULL;
