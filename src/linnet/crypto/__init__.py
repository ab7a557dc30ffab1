"""The end-to-end protocol: PQXDH, the Double Ratchet, content and recovery. Bytes in, bytes out.

No I/O, no clock, no frames: callers pass `now_ms`, `rng` and their state, and store what comes
back. Start at `linnet.crypto.session`. Compatible on the wire with Signal's clients of the
version that the tests drive. Not audited. Python cannot promise to erase keys from memory.
"""
