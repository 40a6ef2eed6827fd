-- centre.db, version 2: a number on the deny list is a city's own; another city's card of that number is another card.
CREATE TABLE denied_2 (
    version INTEGER PRIMARY KEY,            -- of the list, with this card as the last
    number  TEXT NOT NULL,
    city    TEXT NOT NULL,
    since   TEXT NOT NULL,                  -- taps from then on are not paid
    UNIQUE (city, number)
) STRICT;
INSERT INTO denied_2 SELECT version, number, city, since FROM denied;
DROP TABLE denied;
ALTER TABLE denied_2 RENAME TO denied;
