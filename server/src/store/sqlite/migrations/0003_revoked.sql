-- Who is revoked is asked for several times a second.

CREATE INDEX devices_revoked ON devices (id) WHERE revoked_ms IS NOT NULL;
