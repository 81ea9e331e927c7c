"""How steps reach a database: which ones, and one run at a time."""
