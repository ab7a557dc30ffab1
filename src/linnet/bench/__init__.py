"""Benchmarks: what one message and one connection cost a server, beside a floor.

`load.run` and `idle.run` start the server, the floor and a load generator as processes of their
own and return what `linnet bench` prints. Linux only: CPU time is read from /proc. It measures a
server it started itself, never one somebody uses.
"""
