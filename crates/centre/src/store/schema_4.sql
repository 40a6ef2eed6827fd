-- centre.db, version 4: what wallets are told. The events stand here from the same transaction as the change they tell of.
CREATE TABLE outbox (
    id     INTEGER PRIMARY KEY,
    wallet TEXT NOT NULL,
    seq    INTEGER,                         -- the wallet's own cursor; given after the change, so that no change waits
    object TEXT NOT NULL,                   -- `order:ID` or `card:ID`; events of one object go out in order
    type   TEXT NOT NULL,
    at     TEXT NOT NULL,
    data   TEXT NOT NULL,                   -- JSON
    UNIQUE (wallet, seq)
) STRICT;
CREATE INDEX outbox_new ON outbox (wallet, id) WHERE seq IS NULL;

CREATE TABLE outbox_last (
    wallet TEXT PRIMARY KEY,
    last   INTEGER NOT NULL                 -- the last cursor given out
) STRICT;

CREATE TABLE webhooks (
    wallet     TEXT NOT NULL,
    id         TEXT NOT NULL,
    url        TEXT NOT NULL,
    types      TEXT NOT NULL,               -- separated by blanks; empty for all
    state      TEXT NOT NULL,
    upto       INTEGER NOT NULL,            -- events up to here have a delivery; a replay moves it back
    created_at TEXT NOT NULL,
    PRIMARY KEY (wallet, id)
) STRICT;

CREATE TABLE webhook_secrets (
    wallet TEXT NOT NULL,
    hook   TEXT NOT NULL,
    number INTEGER NOT NULL,
    secret BLOB NOT NULL,
    ends   INTEGER,                         -- Unix time; none for the newest
    PRIMARY KEY (wallet, hook, number)
) STRICT;

CREATE TABLE deliveries (
    wallet       TEXT NOT NULL,
    hook         TEXT NOT NULL,
    seq          INTEGER NOT NULL,          -- of the event
    object       TEXT NOT NULL,
    state        TEXT NOT NULL,
    attempts     INTEGER NOT NULL,
    first_at     INTEGER,                   -- Unix time of the first attempt since it was (re)played
    next_at      INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,          -- until then one centre has it in hand
    PRIMARY KEY (wallet, hook, seq)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'waiting';
CREATE INDEX deliveries_in_order ON deliveries (wallet, hook, object, seq) WHERE state = 'waiting';
CREATE INDEX deliveries_leased ON deliveries (wallet, hook, leased_until);

CREATE TABLE delivery_attempts (
    wallet  TEXT NOT NULL,
    hook    TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    at      TEXT NOT NULL,
    status  INTEGER,                        -- HTTP's; none if there was no answer
    error   TEXT,                           -- why there was none
    next_at TEXT,
    PRIMARY KEY (wallet, hook, seq, number)
) STRICT;
