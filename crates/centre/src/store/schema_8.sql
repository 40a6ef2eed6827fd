-- centre.db, version 8: the value of a card moves to a card on another phone; what has left the old one stands here until then.
ALTER TABLE cards ADD COLUMN moved_from TEXT;   -- number of the card whose value it got first
CREATE TABLE moves (
    wallet      TEXT NOT NULL,
    "order"     TEXT NOT NULL,
    from_card   TEXT NOT NULL,              -- the wallet's ids
    to_card     TEXT NOT NULL,
    from_number TEXT NOT NULL,
    phase       TEXT NOT NULL,
    amount_fen  INTEGER NOT NULL,           -- proven to have left the old card
    drain       BLOB,                       -- the purchase that took it, and the old card's proof
    tac         INTEGER,
    hop         INTEGER NOT NULL,           -- counts the loads begun for it that came to nothing
    PRIMARY KEY (wallet, "order")
) STRICT;
CREATE INDEX moves_by_number ON moves (from_number);
