"""The stack's configuration and its state: where they live, and what to do when a run was killed or the state was lost."""
