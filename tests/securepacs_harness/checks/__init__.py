"""The packaged checks: one subject a file, each test one entry of the catalogue."""
