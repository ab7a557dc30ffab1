"""What the server needs from the outside: one small Protocol per noun.

A port method is the unit of atomicity: all of it happens or none, and no transaction spans two
ports. Every backend passes tests/backends/test_<noun>.py; the memory one is the reference.
A backend that cannot store raises `Unavailable`, and then nothing of that call is stored.
"""


class Unavailable(Exception):
    """The store could not do it now (disk full, I/O error, engine away). Nothing was acknowledged;
    the same call may be made again."""
