"""What the command line does: one run of the engine, changes of the configuration, and what a person is told."""
