//! The key hierarchy, diversification, MAC and TAC rules behind one service of verbs.
