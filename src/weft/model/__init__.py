"""The nouns of Weft: frozen structs, enums, ids and the exception tree.

Everything above speaks in these words, so this package depends on the standard library and msgspec alone
and does nothing: no clock, no randomness, no files.
"""
