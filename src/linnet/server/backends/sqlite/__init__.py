"""The stores in one SQLite database: one writer thread, group commits, migrations."""
