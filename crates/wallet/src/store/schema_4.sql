-- wallet.db, version 4: refunds that the centre has proven and the ledger may not have yet.
ALTER TABLE orders ADD COLUMN owed INTEGER NOT NULL DEFAULT 0; -- 1: done, and perhaps not yet credited
CREATE INDEX orders_owed ON orders (owed) WHERE owed = 1;
