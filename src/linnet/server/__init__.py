"""The server: stores and forwards what it cannot read.

`app` puts it together; a packet goes from `gateway` or `api` through `services` to `ports`, which
`backends` provide. Imports neither the cryptography nor the SDK.
"""
