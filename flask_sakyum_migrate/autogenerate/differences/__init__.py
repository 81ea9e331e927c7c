"""The differences of a bind: what they are, which operations say them, and what edits them."""
