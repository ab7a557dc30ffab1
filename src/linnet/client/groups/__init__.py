"""Groups, as this device holds them: their logs, sender keys, secrets, and what is sent to them."""
