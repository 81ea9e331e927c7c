"""What a revision is not made of: such differences stop it, or are left alone."""
