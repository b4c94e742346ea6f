"""Which drugs a title mentions: lexicon, normal form of text, engine, and the oracle that defines it all."""
