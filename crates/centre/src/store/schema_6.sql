-- centre.db, version 6: a returned card's value is taken off by a purchase, written down before it leaves.
ALTER TABLE orders ADD COLUMN drain BLOB;
-- Nothing else of a card is in doubt while something is.
DROP INDEX orders_in_doubt;
CREATE UNIQUE INDEX orders_in_doubt ON orders (number) WHERE state = 'in_doubt';
