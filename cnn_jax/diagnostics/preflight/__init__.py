"""What is worth knowing of a config and its data before hours are spent on them."""
