"""`fluxstate-tui sim serve`: the simulated cluster alone, for kubectl and for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fluxstate_tui import termination
from fluxstate_tui.cli.numbers import factor
from fluxstate_tui.errors import ExitCode, FluxstateError

if TYPE_CHECKING:
    import asyncio

    from fluxstate_tui.sim.server import SimulatedCluster


DEFAULT_KUBECONFIG = "fluxstate-sim.kubeconfig"
WORLD_NAMES = ("empty", "tutorial", "demo")
FLAVOUR_NAMES = ("2026-06", "2025-09", "v1alpha1")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `sim serve`."""
    sim = subparsers.add_parser("sim", help="a simulated cluster, to try things without a real one")
    commands = sim.add_subparsers(metavar="COMMAND", required=True)
    serve = commands.add_parser("serve", help="serve a simulated cluster on loopback until Ctrl-C")
    serve.add_argument("--port", type=int, default=0, help="TCP port (default: any free one)")
    serve.add_argument(
        "--kubeconfig",
        dest="sim_kubeconfig",
        type=Path,
        default=Path(DEFAULT_KUBECONFIG),
        metavar="FILE",
        help="write the kubeconfig there (default ./%(default)s)",
    )
    serve.add_argument(
        "--speed", type=factor, default=1.0, metavar="X", help="seconds of the cluster per second"
    )
    serve.add_argument("--seed", type=int, default=0, metavar="N", help="fixes names and ids")
    serve.add_argument("--world", choices=WORLD_NAMES, default="tutorial", help="what is there")
    serve.add_argument(
        "--flavour", choices=FLAVOUR_NAMES, default="2026-06", help="version of the operator"
    )
    serve.add_argument(
        "--put",
        action="append",
        default=[],
        metavar="FILE=PATH",
        help="place a local file on the node, e.g. my.tar.gz=/data/archive.tar.gz",
    )
    # For a parent that may be killed: its end of the pipe closes with it.
    serve.add_argument("--until-stdin-ends", action="store_true", help=argparse.SUPPRESS)
    serve.set_defaults(run=run_serve)


def run_serve(args: argparse.Namespace) -> int:
    """Serve until it is asked to end. Raises FluxstateError when that is not possible."""
    import asyncio

    files = [_put_option(text) for text in args.put]
    return asyncio.run(_serve(args, files))


def _put_option(text: str) -> tuple[Path, str]:
    source, separator, target = text.partition("=")
    if not separator or not target.startswith("/") or target.count("/") < 2:
        raise FluxstateError(
            f"--put {text} is no FILE=/DIRECTORY/NAME",
            advice="write for example --put my.tar.gz=/data/archive.tar.gz",
            exit_code=ExitCode.USAGE,
        )
    path = Path(source)
    if not path.is_file():
        raise FluxstateError(
            f"there is no file {source}",
            advice="give a file that exists before the =",
            exit_code=ExitCode.USAGE,
        )
    return path, target


async def _serve(args: argparse.Namespace, files: list[tuple[Path, str]]) -> int:
    import asyncio

    from fluxstate_tui.sim.server import SimulatedCluster

    ended = asyncio.Event()
    if args.until_stdin_ends:
        asyncio.get_running_loop().add_reader(0, _end_of_stdin, ended)
    cluster = SimulatedCluster(
        speed=args.speed, seed=args.seed, world=args.world, flavour=args.flavour, port=args.port
    )
    for source, target in files:
        directory, _, name = target.rpartition("/")
        cluster.put_file(directory, name, source.read_bytes())
    try:
        with termination.on_request(ended.set, ended.set):
            async with cluster:
                _announce(cluster, args)
                await ended.wait()
    except ValueError as error:
        raise FluxstateError(str(error), exit_code=ExitCode.USAGE) from None
    except OSError as error:
        raise FluxstateError(
            f"the simulated cluster cannot serve on port {args.port}: {error.strerror}",
            advice="take another --port, or none for any free one",
        ) from None
    cluster.remove_kubeconfig(args.sim_kubeconfig)
    return int(ExitCode.OK)


def _end_of_stdin(ended: asyncio.Event) -> None:
    import os

    if not os.read(0, 4096):
        ended.set()


def _announce(cluster: SimulatedCluster, args: argparse.Namespace) -> None:
    try:
        cluster.write_kubeconfig(args.sim_kubeconfig)
    except OSError as error:
        raise FluxstateError(
            f"cannot write the kubeconfig {args.sim_kubeconfig}: {error.strerror}",
            advice="give a writable path, where no other file is, with --kubeconfig FILE",
        ) from None
    print(f"serving world '{args.world}' on {cluster.url}, {args.speed:g} x as fast as real time")
    print(f"export KUBECONFIG={args.sim_kubeconfig.resolve()}", flush=True)
