-- wallet.db, version 3: the webhook at the centre.
CREATE TABLE hooks (
    id     TEXT PRIMARY KEY,                -- ours, at the centre
    secret TEXT NOT NULL                    -- `whsec_` and base64, as the centre told it
) STRICT;

CREATE TABLE heard (
    id TEXT PRIMARY KEY,                    -- of an event that was acted on
    at TEXT NOT NULL
) STRICT;
CREATE INDEX heard_by_time ON heard (at);
