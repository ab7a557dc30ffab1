"""Every port in memory: the reference the other backends are compared with. Keeps nothing."""
