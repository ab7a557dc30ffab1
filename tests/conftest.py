"""How many random examples a test plays: hypothesis's own number, or a fifth of it when quick."""

from hypothesis import settings

settings.register_profile("quick", max_examples=20, deadline=None)
