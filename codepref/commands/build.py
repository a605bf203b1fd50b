"""`codepref build`: a preference dataset, by one of the methods."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from codepref.commands.options import (
    CONFIGS,
    add_runner,
    builder,
    cluster,
    config_file,
    config_names,
    cores,
    methods,
    offer,
    positive,
    shipped_configs,
)
from codepref.errors import CodeprefError

if TYPE_CHECKING:
    from codepref.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("method", choices=methods(), help="what to build")
    chosen = parser.add_argument("--config", metavar="FILE_OR_NAME", help="YAML file, or the name of a shipped one")
    offer(chosen, lambda typed: config_names(CONFIGS / typed.method))
    parser.add_argument("--configs", action="store_true", help="list the shipped configurations and stop")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="overrides a key of the file")
    parser.add_argument("--out", metavar="DIR", type=Path, help="the run's folder")
    parser.add_argument("--dry-run", action="store_true", help="say what would be asked and run, and what it costs")
    parser.add_argument(
        "--estimate", metavar="N", type=positive, help="say what N prompts would take, by rates measured here"
    )
    parser.add_argument(
        "--store", metavar="URL", help="where the stages go, e.g. s3://BUCKET/RUN (default: the run's folder)"
    )
    parser.add_argument("--workers", metavar="N", type=positive, help=f"processes ({cores()}; of a cluster, all)")
    add_runner(parser)
    parser.add_argument("--skip-bad", action="store_true", help="leave bad input lines out and count them")
    parser.add_argument("--quiet", action="store_true", help="no progress, no summaries")
    parser.add_argument("--push", metavar="ORG/NAME[@TAG]", help="publish the finished dataset there")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0. Raises `CodeprefError` for whatever the user can mend."""
    from builders.chain import estimate
    from codepref import config, stages
    from codepref.publish import hub, release

    if arguments.configs:
        print(shipped_configs(CONFIGS / arguments.method))
        return 0
    method = builder(arguments.method)
    _take_address(arguments)
    ray = cluster(arguments)
    path = arguments.config and config_file(arguments.config, CONFIGS / arguments.method)
    settings = config.load(method.Config, path, arguments.set)
    if arguments.estimate:
        planned = method.plan(settings, skip_bad=arguments.skip_bad)
        print(estimate.estimate_build(planned, arguments.estimate, settings, arguments.out))
        return 0
    if arguments.dry_run:
        print(method.plan(settings, skip_bad=arguments.skip_bad))
        return 0
    if arguments.out is None:
        raise CodeprefError("build: give --out DIR, the run's folder (or --dry-run)")
    where = hub.target(arguments.push, "dataset") if arguments.push else None
    if where:
        hub.check_access(
            where
        )  # a build may take days: what would keep it from being published is said before it begins
    workers = arguments.workers or cores()
    with (
        stages.locked_runner(arguments.out, workers, arguments.quiet, ray, arguments.store) as runner,
        _missing_explained(runner.store, arguments.quiet),
    ):
        manifest = method.build(settings, runner, skip_bad=arguments.skip_bad)
    if not arguments.quiet:
        for name, part in manifest["dataset"].items():
            if part["rows"]:
                print(f'{part["rows"]} rows: datasets.load_dataset("{arguments.out}", "{name}")')
        print(f"card: {arguments.out / 'README.md'}")
    if where:
        hub.publish(release.dataset_release(arguments.out, where.repo_id), where, _silent if arguments.quiet else print)
    return 0


@contextlib.contextmanager
def _missing_explained(store: "Store", quiet: bool) -> Iterator[None]:
    """Says, after a build that was finished or has given no row, how many codes do not define their entry point.

    Raises:
        CodeprefError: none of all codes does.
    """
    from codepref.commands.entry_points import count_defined
    from codepref.publish.dataset import NoRows

    rowless: NoRows | None = None
    try:
        yield
    except NoRows as error:
        rowless = error
    found = count_defined(store)
    if found.none:
        raise CodeprefError(f"{store.root}: {found}")
    if found.missing and not quiet:
        print(f"note: {found}")
    if rowless is not None:
        raise rowless


def _take_address(arguments: argparse.Namespace) -> None:
    """`--set ray.address=HOST:PORT` is `--ray-address`: no key of a configuration, which decides what comes out."""
    key = "ray.address="
    for item in [item for item in arguments.set if item.startswith(key)]:
        arguments.set.remove(item)
        arguments.ray_address = item.removeprefix(key)


def _silent(_: str) -> None:
    pass
