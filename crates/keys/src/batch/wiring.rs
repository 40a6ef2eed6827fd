//! The wiring of DES: which bit goes where. In a bitsliced machine a permutation costs nothing; it is only an index.
//!
//! Standard: FIPS 46-3 (DES); bits are counted from 0 here, the first being the most significant.

/// Initial permutation: the bit that goes to each place.
pub(super) const IP: [u8; 64] = {
    let mut table = [0; 64];
    let mut place = 0;
    while place < 64 {
        // Rows of eight take every eighth bit from the end; even-numbered bits make the right half's rows.
        let (row, column) = (place / 8, place % 8);
        let first = if row < 4 { 2 * row + 1 } else { 2 * (row - 4) };
        table[place] = (8 * (7 - column) + first) as u8;
        place += 1;
    }
    table
};

/// Final permutation, the inverse of the first.
pub(super) const FP: [u8; 64] = {
    let mut table = [0; 64];
    let mut place = 0;
    while place < 64 {
        table[IP[place] as usize] = place as u8;
        place += 1;
    }
    table
};

const P: [u8; 32] = [
    15, 6, 19, 20, 28, 11, 27, 16, 0, 14, 22, 25, 4, 17, 30, 9, 1, 7, 23, 13, 31, 26, 2, 8, 18, 12, 29, 5,
    21, 10, 3, 24,
];

/// For each output of the S-boxes the place in the half that it is added to: `P` turned round.
pub(super) const OUT: [usize; 32] = {
    let mut table = [0; 32];
    let mut place = 0;
    while place < 32 {
        table[P[place] as usize] = place;
        place += 1;
    }
    table
};

const PC1: [u8; 56] = [
    56, 48, 40, 32, 24, 16, 8, 0, 57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43,
    35, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 60, 52, 44, 36, 28, 20, 12, 4, 27, 19,
    11, 3,
];

const PC2: [u8; 48] = [
    13, 16, 10, 23, 0, 4, 2, 27, 14, 5, 20, 9, 22, 18, 11, 3, 25, 7, 15, 6, 26, 19, 12, 1, 40, 51, 30, 36,
    46, 54, 29, 39, 50, 44, 32, 47, 43, 48, 38, 55, 33, 52, 45, 41, 49, 35, 28, 31,
];

/// For each round and each input of its S-boxes, the bit of the key.
pub(super) const SCHEDULE: [[u8; 48]; 16] = {
    let mut rounds = [[0; 48]; 16];
    let (mut round, mut turned) = (0, 0);
    while round < 16 {
        turned += if round == 0 || round == 1 || round == 8 || round == 15 { 1 } else { 2 };
        let mut place = 0;
        while place < 48 {
            let from = PC2[place] as usize;
            let half = from / 28 * 28;
            rounds[round][place] = PC1[half + (from - half + turned) % 28];
            place += 1;
        }
        round += 1;
    }
    rounds
};
