"""SPQR, the sparse post-quantum ratchet: ML-KEM Braid and the chains that it feeds.

Two sides send each other ML-KEM-768 keys and ciphertexts in chunks of 32 bytes, one in each
message they send anyway, and agree on a new secret every hundred messages or so. Start at `state`.
Written from the public specifications ML-KEM Braid r1 and Double Ratchet r4 (sections 5 and 6),
and FIPS 203. It derives keys and encrypts nothing: `linnet.crypto.triple` mixes them in.

The encapsulating half is plain Python and not constant in time. What it handles is ephemeral, and
used once.
"""
