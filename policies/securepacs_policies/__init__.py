"""Which controls a PACS must have. `controls` is the one catalogue; the harness names its checks by it, and so do the policies."""
