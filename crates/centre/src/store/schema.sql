-- centre.db, version 1. Later versions add statements of their own; none changes these.
CREATE TABLE cards (
    wallet      TEXT NOT NULL,
    id          TEXT NOT NULL,
    digest      BLOB NOT NULL,              -- SHA-256 of the request that made it
    "user"      TEXT NOT NULL,              -- the wallet's own name for the passenger
    city        TEXT NOT NULL,
    phone       TEXT NOT NULL,
    se_id       TEXT NOT NULL,
    number      TEXT NOT NULL UNIQUE,
    state       TEXT NOT NULL,
    balance_fen INTEGER,                    -- as last seen on the card
    seen_at     TEXT,
    PRIMARY KEY (wallet, id)
) STRICT;

CREATE TABLE numbers (
    city TEXT PRIMARY KEY,
    last INTEGER NOT NULL                   -- the last running number given out
) STRICT;

CREATE TABLE orders (
    seq         INTEGER PRIMARY KEY,
    wallet      TEXT NOT NULL,
    id          TEXT NOT NULL,
    digest      BLOB NOT NULL,
    kind        TEXT NOT NULL,
    card        TEXT,                       -- the wallet's id; none for a plastic card
    number      TEXT,                       -- of a plastic card, once it was seen
    city        TEXT,
    amount_fen  INTEGER NOT NULL,
    reference   TEXT,                       -- of the wallet's own payment
    state       TEXT NOT NULL,
    code        TEXT,                       -- why it was refused
    about       TEXT,
    balance_fen INTEGER,
    reservation BLOB,                       -- written before CREDIT FOR LOAD leaves
    tac         INTEGER,                    -- the card's proof
    placed_at   TEXT NOT NULL,
    changed_at  TEXT NOT NULL,
    UNIQUE (wallet, id)
) STRICT;
CREATE INDEX orders_by_number ON orders (number, state);
CREATE INDEX orders_by_card ON orders (wallet, card);

CREATE TABLE sessions (
    id     TEXT PRIMARY KEY,                -- random; the wallet hands it to the phone
    wallet TEXT NOT NULL,
    "order" TEXT NOT NULL,
    UNIQUE (wallet, "order")
) STRICT;

CREATE TABLE files (
    name      TEXT PRIMARY KEY,
    batch     INTEGER NOT NULL UNIQUE,      -- the name as a number
    digest    BLOB NOT NULL UNIQUE,
    sender    TEXT NOT NULL,                -- city code
    day       TEXT NOT NULL,                -- the clearing day that it was taken into
    records   INTEGER NOT NULL,
    paid      INTEGER NOT NULL,
    paid_fen  INTEGER NOT NULL,
    home      INTEGER NOT NULL,             -- paid ones by cards of the reader's city
    taken_at  TEXT NOT NULL
) STRICT;
CREATE INDEX files_by_day ON files (day);

CREATE TABLE records (
    batch      INTEGER NOT NULL REFERENCES files (batch),
    line_no    INTEGER NOT NULL,
    card       TEXT NOT NULL,
    issuer     TEXT NOT NULL,
    acquirer   TEXT NOT NULL,
    operator   TEXT NOT NULL,
    mode       INTEGER NOT NULL,
    amount_fen INTEGER NOT NULL,
    at         TEXT NOT NULL,
    verdict    INTEGER NOT NULL,            -- code of CUX
    reason     INTEGER NOT NULL,            -- code within the verdict
    PRIMARY KEY (batch, line_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_by_card ON records (card, at);

CREATE TABLE claims (
    key     BLOB PRIMARY KEY,               -- what may be used once
    content BLOB NOT NULL                   -- by which record it was
) STRICT, WITHOUT ROWID;

CREATE TABLE denied (
    version INTEGER PRIMARY KEY,            -- of the list, with this card as the last
    number  TEXT NOT NULL UNIQUE,
    city    TEXT NOT NULL,
    since   TEXT NOT NULL                   -- taps from then on are not paid
) STRICT;

CREATE TABLE days (
    day       TEXT PRIMARY KEY,
    closed_at TEXT NOT NULL
) STRICT;

CREATE TABLE events (
    seq        INTEGER PRIMARY KEY,
    at         TEXT NOT NULL,
    kind       TEXT NOT NULL,
    about      TEXT NOT NULL,               -- a city, a wallet, a file; never a whole card number
    amount_fen INTEGER
) STRICT;

CREATE TABLE nonces (
    keyid   TEXT NOT NULL,
    nonce   TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (keyid, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_by_time ON nonces (created);
