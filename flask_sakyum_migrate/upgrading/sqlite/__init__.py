"""What a change of a table means on SQLite: copied tables, native ALTER, a copy before a loss."""
