"""The WebSocket edge: one socket a device, pushes in order, nothing dropped silently.

`protocol` takes the socket from uvicorn, `connection` speaks on it, `window` decides what may be
pushed, `registry` knows who is here, `gateway` joins them with delivery.
"""
