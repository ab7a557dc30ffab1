"""`linnet group`: make groups, see them, change them, write to them."""
