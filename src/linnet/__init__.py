"""Linnet: a private messenger you run yourself."""
