-- wallet.db, version 1. Later versions add statements of their own; none changes these.
CREATE TABLE passengers (
    id           TEXT PRIMARY KEY,          -- ours; what the centre knows a passenger by
    name         TEXT NOT NULL UNIQUE,
    password     TEXT NOT NULL,             -- PHC string, never the password
    tries        INTEGER NOT NULL DEFAULT 0,-- that were not right, since the last right one
    locked_until TEXT,
    since        TEXT NOT NULL
) STRICT;

CREATE TABLE devices (
    passenger TEXT NOT NULL REFERENCES passengers,
    se_id     TEXT NOT NULL,
    phone     TEXT NOT NULL,
    agent_url TEXT,
    PRIMARY KEY (passenger, se_id)
) STRICT;

CREATE TABLE cards (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,       -- ours, also at the centre
    passenger   TEXT NOT NULL REFERENCES passengers,
    city        TEXT NOT NULL,
    se_id       TEXT NOT NULL,
    number      TEXT,                       -- once the centre has told it
    state       TEXT NOT NULL,
    balance_fen INTEGER,                    -- as last seen on the card
    seen_at     TEXT
) STRICT;
CREATE INDEX cards_by_passenger ON cards (passenger);

CREATE TABLE orders (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,       -- ours, also at the centre, also of the ledger's entry
    passenger   TEXT NOT NULL REFERENCES passengers,
    request     TEXT,                       -- the app's own id of what it asked
    asked       TEXT NOT NULL,              -- what it asked, to know a repetition from another request
    kind        TEXT NOT NULL,
    card        TEXT REFERENCES cards (id), -- none for a plastic card
    amount_fen  INTEGER NOT NULL,
    card_body   TEXT,                       -- sent to the centre before `body`, for an issue
    body        TEXT NOT NULL,              -- sent to the centre, byte for byte the same each time
    state       TEXT NOT NULL,
    session     TEXT,                       -- JSON, as the centre told it
    number      TEXT,
    balance_fen INTEGER,
    refusal     TEXT,                       -- JSON, why it was refused
    placed_at   TEXT NOT NULL,
    changed_at  TEXT NOT NULL,
    UNIQUE (passenger, request)
) STRICT;
CREATE INDEX orders_open ON orders (state) WHERE state NOT IN ('done', 'refused');
