"""Delivery: how an accepted message gets a number, a row in each mailbox, and its ticks.

`decide` is the rule, `watermark` the arithmetic of ticks, `inline` the embedded driver around
them, `view` what one device sees of a row, `sync` the same over HTTP.
"""
