"""What the server does, one noun a module. Ports, clock and randomness are arguments."""
