-- centre.db, version 3: which attempt at an order is the one that counts, and how far each order came.
ALTER TABLE orders ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
-- Two loads of one card are never in doubt at once, whoever reserved them.
CREATE UNIQUE INDEX orders_in_doubt ON orders (number) WHERE state = 'in_doubt' AND reservation IS NOT NULL;

CREATE TABLE steps (
    seq     INTEGER PRIMARY KEY,
    wallet  TEXT NOT NULL,
    "order" TEXT NOT NULL,
    name    TEXT NOT NULL,
    state   TEXT NOT NULL,
    at      TEXT NOT NULL,
    UNIQUE (wallet, "order", name)
) STRICT;
