"""`pulumi-resource-securepacs`: the Pulumi provider of this project's resources.

`adapter` alone knows Pulumi's wire types; `fields` is the language of the tables; `resource` is what a resource is;
`registry` lists them all; `engine` is the edge to the Docker engine; the rest is one module a resource.
"""
