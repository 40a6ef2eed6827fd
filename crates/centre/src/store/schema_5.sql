-- centre.db, version 5: the daily match. What readers recorded of a purse, wallets' daily files, results, cases.
CREATE TABLE sights (
    batch       INTEGER NOT NULL,
    line_no     INTEGER NOT NULL,
    day         TEXT NOT NULL,              -- the clearing day of its file
    card        TEXT NOT NULL,
    issuer      TEXT NOT NULL,
    at          TEXT NOT NULL,
    card_seq    INTEGER NOT NULL,           -- the card's offline counter, by its log
    amount_fen  INTEGER NOT NULL,
    balance_fen INTEGER NOT NULL,           -- before the tap, as the reader says
    PRIMARY KEY (batch, line_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX sights_by_card ON sights (card, at);
CREATE INDEX sights_by_day ON sights (day, card);

CREATE TABLE wallet_days (
    wallet       TEXT NOT NULL,
    day          TEXT NOT NULL,
    digest       BLOB NOT NULL,
    lines        INTEGER NOT NULL,
    paid_fen     INTEGER NOT NULL,
    refunded_fen INTEGER NOT NULL,
    held_fen     INTEGER NOT NULL,
    taken_at     TEXT NOT NULL,
    PRIMARY KEY (wallet, day)
) STRICT;

CREATE TABLE wallet_lines (
    wallet     TEXT NOT NULL,
    "order"    TEXT NOT NULL,
    day        TEXT NOT NULL,
    kind       TEXT NOT NULL,
    card       TEXT,
    amount_fen INTEGER NOT NULL,
    word       TEXT NOT NULL,
    reference  TEXT NOT NULL,
    at         TEXT NOT NULL,
    PRIMARY KEY (wallet, "order", day)
) STRICT, WITHOUT ROWID;
CREATE INDEX wallet_lines_by_day ON wallet_lines (day, wallet, "order");

CREATE TABLE matches (
    day        TEXT PRIMARY KEY,
    after      INTEGER NOT NULL,            -- in the ledger's log, what counts for later days begins after here
    result     TEXT NOT NULL                -- JSON
) STRICT;

CREATE TABLE cases (
    seq        INTEGER PRIMARY KEY,
    cursor     INTEGER NOT NULL UNIQUE,     -- grows with every change of a case
    day        TEXT NOT NULL,               -- on which it was found
    wallet     TEXT NOT NULL,
    "order"    TEXT NOT NULL,               -- empty for a missing file
    city       TEXT,
    kind       TEXT NOT NULL,
    gap_fen    INTEGER NOT NULL,
    evidence   TEXT NOT NULL,               -- JSON
    how        TEXT,                        -- none: open
    settled_on TEXT,                        -- the day that was matched, or of the decision
    decision   TEXT,                        -- a person's, with the reason
    opened_at  TEXT NOT NULL,
    changed_at TEXT NOT NULL
) STRICT;
CREATE INDEX cases_by_order ON cases (wallet, "order");
