"""`linnet demo`: a server, two people, and what the server kept of what they said."""
