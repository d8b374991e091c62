"""What Pulumi's Python language host runs when this folder is named as a plugin: the same as `pulumi-resource-securepacs`."""

from securepacs.provider.adapter import main

main()
