"""Signatures the server too must verify: XEdDSA, signed objects, device lists. No decryption."""
