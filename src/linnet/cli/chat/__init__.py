"""`linnet chat`: one conversation in a plain terminal, a line at a time."""
