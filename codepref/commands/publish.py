"""`codepref publish`: a finished dataset or a trained model to the Hub."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    kinds = parser.add_subparsers(title="what", metavar="dataset|model", required=True)
    for kind in ("dataset", "model"):
        made_by = "codepref build" if kind == "dataset" else "codepref train"
        part = kinds.add_parser(kind, help=f"a folder that {made_by} made")
        part.add_argument("folder", metavar="DIR", type=Path, help=f"the folder that {made_by} made")
        part.add_argument("--repo", metavar="ORG/NAME", required=True, help="made if it is not there")
        part.add_argument("--tag", metavar="TAG", help="name of this version, e.g. v1.0.0; never moved")
        part.add_argument("--private", action="store_true", help="a new repository is private")
        part.add_argument("--dry-run", action="store_true", help="say what would be sent, deleted and tagged")
        part.set_defaults(kind=kind, results=[])
    part.add_argument("--results", metavar="FILE", type=Path, nargs="+", help="results.json of codepref evaluate")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0. Raises `CodeprefError` for whatever the user can mend."""
    from codepref.publish import hub, release, scores

    where = hub.target(arguments.repo, arguments.kind, arguments.tag, arguments.private)
    if arguments.kind == "dataset":
        made = release.dataset_release(arguments.folder, where.repo_id)
    else:
        extra = scores.files(arguments.folder, where.repo_id, arguments.results) if arguments.results else []
        made = release.model_release(arguments.folder, where.repo_id, extra)
    if arguments.dry_run:
        print(*hub.preview(made, where), sep="\n")
    else:
        hub.publish(made, where)
    return 0
