"""The people of the school."""
