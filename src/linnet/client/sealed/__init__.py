"""Sealed sending between two people: the server is not told who sends.

The rules are in docs/protocol/sealed-sender.md.
"""
