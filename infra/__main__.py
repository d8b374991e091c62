"""What `pulumi up` runs."""

from securepacs.program import program

program()
