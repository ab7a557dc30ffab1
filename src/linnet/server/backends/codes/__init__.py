"""Ways to send a registration code to a phone number."""
