"""`python -m securepacs_harness` is `pacs-verify`."""

from securepacs_harness.verify import main

main()
