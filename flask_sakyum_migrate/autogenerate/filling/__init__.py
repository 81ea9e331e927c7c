"""Columns that may not be NULL: their rows get a value."""
