"""What both ends agree on: identifiers, frames, codec, codes, limits and the session table.

No I/O, no clock, no policy; imports nothing else of Linnet's.
"""
