"""`linnet demo`: a server, three people, and what the server kept of what they said."""
