# ruff: noqa: N802 - gRPC gives the methods their names
"""A test-only stand-in for Pulumi's Python language host, `pulumi-language-python`.

The official download of Pulumi has the real one; a `pulumi` built from Go modules has not, since its module is not published.
This one does what `preview`, `up` and `destroy` of a `runtime: python` project and a plugin in a folder with PulumiPlugin.yaml
ask of it, and no more: no plugin discovery (the project names its provider under `plugins:`), no dependency installation, no debugger.

The engine starts it with its own address as the last argument and reads one line from its stdout: the port of the gRPC server.
It starts the program through the official `pulumi-language-python-exec`, whose path PULUMI_PYTHON_EXEC gives.
Source: proto/pulumi/language.proto of Pulumi 3.259.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc  # type: ignore[import-untyped] # publishes no types
from google.protobuf import empty_pb2, json_format  # type: ignore[import-untyped] # publishes no types
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

SHOWN_TO_USER = 32  # pulumi-language-python-exec: "the error is already on the screen"
LARGEST_MESSAGE = 400 << 20  # bytes; the engine's own limit


def program_environment(request: language_pb2.RunRequest, virtualenv: Path | None) -> dict[str, str]:
    """Return the program's environment: ours, the stack's configuration, and the virtual environment's bin folder first on PATH."""
    environment = {
        **os.environ,
        "PULUMI_CONFIG": json.dumps(dict(request.config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
    }
    if virtualenv:
        environment["VIRTUAL_ENV"] = str(virtualenv)
        environment["PATH"] = os.pathsep.join([str(virtualenv / "bin"), os.environ["PATH"]])
    return environment


def program_command(request: language_pb2.RunRequest, engine: str, python: Path) -> list[str]:
    """Return the argument list that runs the program once."""
    root = request.info.root_directory or request.pwd
    options = {
        "monitor": request.monitor_address,
        "engine": engine,
        "project": request.project,
        "stack": request.stack,
        "pwd": request.pwd,
        "dry_run": str(request.dryRun).lower(),
        "parallel": str(request.parallel),
        "organization": request.organization,
        "root_directory": root,
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    program = Path(request.info.program_directory or request.pwd) / (request.info.entry_point or ".")
    return [str(python), "-u", os.environ["PULUMI_PYTHON_EXEC"], *flags, str(program)]


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs one Python program at a time for the engine at the given address."""

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def Handshake(self, request: language_pb2.LanguageHandshakeRequest, _: grpc.ServicerContext) -> language_pb2.LanguageHandshakeResponse:
        """Take the engine's address."""
        self.engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, *_: object) -> plugin_pb2.PluginInfo:
        """Answer with a version that sorts before every real one."""
        return plugin_pb2.PluginInfo(version="0.0.0")

    def GetRequiredPackages(self, *_: object) -> language_pb2.GetRequiredPackagesResponse:
        """Ask for no plugin: the project names its provider itself."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, *_: object) -> language_pb2.GetRequiredPluginsResponse:
        """Ask for no plugin: the project names its provider itself."""
        return language_pb2.GetRequiredPluginsResponse()

    def About(self, *_: object) -> language_pb2.AboutResponse:
        """Say which Python this is."""
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def Cancel(self, *_: object) -> empty_pb2.Empty:
        """Do nothing: the engine ends the process group."""
        return empty_pb2.Empty()

    def Run(self, request: language_pb2.RunRequest, _: grpc.ServicerContext) -> language_pb2.RunResponse:
        """Run the program to its end, in the virtual environment that the project's `runtime.options.virtualenv` names."""
        virtualenv_option = json_format.MessageToDict(request.info.options).get("virtualenv")
        virtualenv = Path(request.info.root_directory or request.pwd, virtualenv_option) if virtualenv_option else None
        python = virtualenv / "bin" / "python" if virtualenv else Path(sys.executable)
        command = program_command(request, self.engine, python)
        # Our stdout carries the port only; what the program prints goes where the engine shows it.
        ended = subprocess.run(
            command, check=False, env=program_environment(request, virtualenv), stdin=subprocess.DEVNULL, stdout=sys.stderr
        ).returncode
        if ended in {0, SHOWN_TO_USER}:
            return language_pb2.RunResponse(bail=ended == SHOWN_TO_USER)
        return language_pb2.RunResponse(error=f"the program ended with status {ended}")

    def InstallDependencies(self, *_: object) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """Install nothing: what a plugin needs stands beside this Python."""
        return iter(())

    def RunPlugin(self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a plugin's folder as a program until the engine ends the call; what it prints is passed on, line by line."""
        program = request.info.program_directory or request.program
        environment = {**os.environ, **dict(line.split("=", 1) for line in request.env)}
        command = [sys.executable, "-u", program, *request.args]
        with subprocess.Popen(command, cwd=request.pwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as plugin:
            context.add_callback(plugin.terminate)
            for line in plugin.stdout or ():
                yield language_pb2.RunPluginResponse(stdout=line)
        yield language_pb2.RunPluginResponse(exitcode=plugin.returncode)


def main() -> None:
    """Serve until the engine ends this process."""
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", LARGEST_MESSAGE)])
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(addresses[-1] if addresses else ""), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):  # the engine's way to end a plugin
        server.wait_for_termination()


if __name__ == "__main__":
    main()
