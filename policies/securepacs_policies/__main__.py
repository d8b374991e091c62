"""The policy pack as a program: `pulumi preview --policy-pack $(command -v securepacs-policies)`, or this folder as a directory pack."""

from __future__ import annotations

from securepacs_policies.rule import catalogue
from securepacs_policies.server import serve


def main() -> None:
    """Serve every rule to the engine that started us."""
    serve(catalogue())


if __name__ == "__main__":
    main()
