"""Which drugs a title mentions: the lexicon of terms, the normal form of text, the engine and the oracle that defines it."""
