"""The rules, a subject a file; importing a file enters its rules into the table of `securepacs_policies.rule`."""
