"""`codepref evaluate`: options, and what is printed."""

import argparse
from pathlib import Path
from typing import Any

from codepref.commands.options import add_runner, cluster, cores, offer, shipped_folder
from codepref.errors import CodeprefError
from evaluation.ask import BACKENDS, AskedModel
from evaluation.benchmark import CACHE
from evaluation.catalogue import NAMES, RELEASES, benchmark
from evaluation.window import read_window


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    named = f"one or more of {', '.join(NAMES)}"
    offer(parser.add_argument("benchmarks", nargs="?", metavar="BENCHMARK[,...]", help=named), lambda _: NAMES)
    parser.add_argument(
        "--samples", type=Path, metavar="FILE", help="saved samples: JSON lines of EvalPlus or BigCodeBench"
    )
    parser.add_argument("--clean", action="store_true", help="take the program out of each saved text first")
    parser.add_argument("--model", metavar="ID_OR_PATH", help="a model to ask instead")
    parser.add_argument("--adapter", metavar="PATH", help="PEFT adapter on top of it")
    parser.add_argument("--backend", choices=BACKENDS, default="local", help="where the model runs (%(default)s)")
    parser.add_argument(
        "--base-url",
        default="http://localhost:8000/v1",
        metavar="URL[,...]",
        help="of the server, or servers (%(default)s)",
    )
    parser.add_argument(
        "--chat", action=argparse.BooleanOptionalAction, help="ask as a chat model (default: if it is one)"
    )
    parser.add_argument("--n", type=int, default=1, help="samples a problem (%(default)s)")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (%(default)s)")
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="longest answer of the model (default: what the benchmark allows)"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help="answers written side by side by a model on this machine (32; halved when memory runs out)",
    )
    parser.add_argument(
        "--k",
        metavar="K[,...]",
        help="the k of pass@k (default: 1, and the largest of 2, 5, 10, 100 there are samples for)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the samples (%(default)s)")
    parser.add_argument("--split", choices=("complete", "instruct"), default="complete", help="of BigCodeBench")
    parser.add_argument("--subset", choices=("full", "hard"), default="full", help="of BigCodeBench")
    parser.add_argument(
        "--release", choices=RELEASES, default="release_v6", metavar="RELEASE",
        help="of LiveCodeBench: release_v1 to release_v6 hold all tasks so far, v1 to v6 the new ones (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--since", metavar="DAY", help="only tasks published since this day or month (YYYY-MM-DD or YYYY-MM)"
    )
    parser.add_argument("--until", metavar="DAY", help="only tasks published until this day or month, it included")
    parser.add_argument("--data", type=Path, metavar="FILE", help="a local copy of the benchmark (default: the Hub)")
    parser.add_argument(
        "--ids",
        type=Path,
        metavar="FILE",
        help="grade only the tasks of this JSON list; the results say that they are a part",
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="grade only the first N problems; the results say that they are a part"
    )
    parser.add_argument("--trained-on", type=Path, metavar="FILE", help="manifest or card of the training data")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the results")
    parser.add_argument(
        "--workers", type=int, metavar="N", help=f"sandboxes at work at once ({cores()}; of a cluster, all)"
    )
    add_runner(parser)
    parser.add_argument("--python", metavar="PATH", help="interpreter of the programs (default: the benchmark's)")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, metavar="DIR", help="expected values, environments (%(default)s)"
    )
    parser.add_argument(
        "--prepare", metavar="ENVIRONMENT", help="make the interpreter of ds1000 or bigcodebench and stop"
    )
    parser.add_argument("--compare", nargs=2, type=Path, metavar="DIR", help="two result folders of one benchmark")
    parser.add_argument(
        "--efficiency", action="store_true", help="with --compare and --data: cost where both are right"
    )
    parser.add_argument(
        "--profile", choices=("function", "library"), default="function",
        help="library: programs may use files and child processes (ds1000 and bigcodebench always may)",
    )  # fmt: skip
    parser.add_argument("--allow-unisolated", action="store_true", help="run even where nothing protects this machine")
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")


def run(args: argparse.Namespace) -> int:
    """Exit code 0. Raises `CodeprefError` for whatever the user can mend."""
    if args.prepare:
        return _prepare(args)
    if args.compare:
        return _compare(args)
    if not args.benchmarks:
        raise CodeprefError(f"evaluate: name a benchmark: {', '.join(NAMES)}")
    _ks(args)
    _check(args)
    read_window(args.since, args.until)
    from evaluation.run import run_benchmark

    for name in args.benchmarks.split(","):
        found = run_benchmark(benchmark(name, args.split, args.subset, args.release), _options(args))
        if not args.quiet:
            from evaluation.results import results_text

            print(results_text(found))
            print(f"results: {args.out / found['benchmark'] / 'results.json'}")
    return 0


def _check(args: argparse.Namespace) -> None:
    names = args.benchmarks.split(",")
    if args.out is None:
        raise CodeprefError("evaluate: give --out DIR, the folder of the results")
    if (args.samples is None) == (args.model is None):
        raise CodeprefError("evaluate: give either --samples FILE or --model ID_OR_PATH")
    for option in ("samples", "data", "ids"):
        if getattr(args, option) is not None and len(names) > 1:
            raise CodeprefError(f"evaluate: --{option} is for one benchmark, not for {len(names)}; run them one by one")
    for option in ("n", "workers", "limit", "max-tokens", "batch-size"):
        value = getattr(args, option.replace("-", "_"))
        if value is not None and value < 1:
            raise CodeprefError(f"evaluate: --{option} must be 1 or more, not {value}")
    if args.n > 1 and args.temperature == 0 and args.model:
        raise CodeprefError("evaluate: --n above 1 needs --temperature above 0: greedy samples are all the same")
    if args.max_tokens is not None and args.model is None:
        raise CodeprefError(
            "evaluate: --max-tokens is for a --model that is asked; saved samples are as long as they are"
        )
    if args.batch_size is not None and (args.model is None or args.backend != "local"):
        raise CodeprefError("evaluate: --batch-size is for a --model on this machine; a server makes its own batches")
    if args.model and args.n < max(_ks(args), default=1):
        raise CodeprefError(f"evaluate: --k {args.k} needs as many samples of a problem, --n is {args.n}; raise --n")
    if args.subset == "hard" and args.data is not None and args.ids is None:
        raise CodeprefError("evaluate: --subset hard with --data FILE needs --ids FILE, the list of the hard tasks")


def _ks(args: argparse.Namespace) -> tuple[int, ...]:
    """The numbers of `--k`."""
    words = [] if args.k is None else args.k.split(",")
    if not all(word.strip().isdecimal() and int(word) > 0 for word in words):
        raise CodeprefError(f"evaluate: --k takes whole numbers from 1 on, like 1,5,10, not {args.k!r}")
    return tuple(map(int, words))


def _options(args: argparse.Namespace) -> Any:
    from evaluation.run import Options

    model = None
    if args.model:
        model = AskedModel(
            shipped_folder(args.model),
            args.backend,
            args.adapter,
            args.base_url,
            args.chat,
            args.n,
            args.temperature,
            args.seed,
            args.max_tokens,
            args.batch_size,
        )
    return Options(
        out=args.out, data=args.data, samples=args.samples, clean=args.clean, model=model, ids=args.ids,
        limit=args.limit, ks=_ks(args),
        workers=args.workers or cores(), python=args.python, cache=args.cache, trained_on=args.trained_on,
        allow_unisolated=args.allow_unisolated, profile=args.profile, quiet=args.quiet, cluster=cluster(args),
        window=read_window(args.since, args.until),
    )  # fmt: skip


def _prepare(args: argparse.Namespace) -> int:
    from evaluation.grade import environment

    known = sorted(path.stem for path in environment.PINS.glob("*.txt"))
    if args.prepare not in known:
        raise CodeprefError(f"evaluate: {args.prepare!r} has no environment of its own; those are {', '.join(known)}")
    print(environment.prepare(args.prepare, args.cache))
    return 0


def _compare(args: argparse.Namespace) -> int:
    from evaluation import compare

    found = compare.compare_runs(args.compare[0], args.compare[1])
    if args.efficiency:
        from evaluation import efficiency

        found["efficiency"] = efficiency.compare_efficiency(
            args.compare[0], args.compare[1], args.data, args.workers or cores(), args.cache
        )
    print(compare.comparison_text(found))
    if args.out is not None:
        compare.write_comparison(args.out, found)
    return 0
