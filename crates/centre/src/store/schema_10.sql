-- centre.db, version 10: which cards are on one element.
CREATE INDEX cards_by_element ON cards (se_id, city);
