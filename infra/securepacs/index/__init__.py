"""The archive's index between SQLite and PostgreSQL: where it stands, and how it moves with every row the same."""
