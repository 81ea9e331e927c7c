"""Keys, constraints and indexes: their names, and the order of what is done to them."""
