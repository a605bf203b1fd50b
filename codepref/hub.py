"""Publishing on the Hub: a release becomes one commit and, if asked, a tag; then it is loaded back and compared.

Everything is done by looking first: what the repository holds decides what is sent, so a second publish finds nothing to
do, and an answer that was lost on the way (a commit that arrived although the gateway said 504) is found and not repeated.
"""

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from codepref import __version__
from codepref.errors import CodeprefError
from codepref.release import File, Kind, Release

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TRIES = 5
FIRST_WAIT_S = 1.0
"""Seconds before the second try; doubled from try to try unless the Hub names a time (Retry-After)."""
LONGEST_WAIT_S = 120.0
"""A Hub that asks for more patience than this gets an error line instead of a waiting program."""
SILENCE_S = 150.0
"""Seconds without a byte after which a connection counts as lost; the client would wait forever."""
PASSING = {408, 409, 412, 429, 500, 502, 503, 504}
DOWNLOADED = 1 << 30
"""Files up to this size, in bytes, are downloaded to be compared; of larger ones the Hub's own sha256 must do."""
HUB_FILES = {".gitattributes"}
"""Files that the Hub makes by itself."""

Say = Callable[[str], None]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Target:
    """Where a release goes."""

    repo_id: str
    kind: Kind
    tag: str | None = None
    private: bool = False

    @property
    def revision(self) -> str:
        """`ORG/NAME` or `ORG/NAME@TAG`."""
        return f"{self.repo_id}@{self.tag}" if self.tag else self.repo_id


@dataclass(frozen=True)
class Remote:
    """What a repository holds on its main branch."""

    head: str | None = None
    """Commit id; None: there is no such repository."""
    private: bool = False
    files: Mapping[str, str] = ()  # type: ignore[assignment]
    """Path -> the hash by which the Hub knows the file."""
    tags: Mapping[str, str] = ()  # type: ignore[assignment]
    """Tag -> commit id."""


@dataclass(frozen=True)
class Plan:
    """What a commit would do, as sorted paths."""

    add: tuple[str, ...] = ()
    change: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    same: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.add or self.change or self.delete)


def target(repo: str, kind: Kind, tag: str | None = None, private: bool = False) -> Target:
    """Checks `ORG/NAME`, or `ORG/NAME@TAG` when no tag is given apart.

    Raises:
        CodeprefError: not a name that the Hub allows.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    name, _, after = repo.partition("@")
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise CodeprefError(f"{repo}: {_first_line(error)}") from None
    if name.count("/") != 1:
        raise CodeprefError(f"{repo}: give ORG/NAME; your user name is an ORG too")
    return Target(name, kind, tag or after or None, private)


def publish(release: Release, where: Target, say: Say = print) -> str:
    """Makes the repository hold exactly this release: creates it if needed, one commit, tag, loads it back.

    Args:
        release: What to publish.
        where: Repository, tag, visibility of a new repository.
        say: Receives one line for each thing that was done.

    Returns:
        The commit id.

    Raises:
        CodeprefError: anything that went wrong, with the state in which the repository is left.
    """
    api = _api(where, writes=True)
    check(api, where, say)
    with _explained(where, "is as it was"):
        remote = _patiently(lambda: look(api, where), say)
        done = _under_tag(api, release, where, remote, say)
    if done:
        say(f"{where.revision}: nothing to do, it holds exactly this folder (commit {done[:8]})")
        _load_back(api, release, where, done, say)
        return done
    with _explained(where, "is as it was or whole, never in between; run the same command again"):
        commit = _patiently(lambda: _commit(api, release, where, say), say)
    if where.tag:
        with _explained(where, f"is whole (commit {commit[:8]}), its tag is missing; run the same command again"):
            _patiently(lambda: _tag(api, release, where, commit, say), say)
    _load_back(api, release, where, commit, say)
    return commit


def preview(release: Release, where: Target) -> list[str]:
    """Lines that tell what `publish` would do. Changes nothing and needs no token for a public repository."""
    api = _api(where, writes=False)
    with _explained(where, "is as it was"):
        remote = _patiently(lambda: look(api, where), lambda _: None)
        done = _under_tag(api, release, where, remote, lambda _: None)
    if done:
        return [f"{where.revision}: nothing to do, it holds exactly this folder (commit {done[:8]})"]
    plan = compare(release, remote.files)
    _guard(plan, where, remote)
    visibility = "private" if where.private else "public"
    lines = [f"{where.repo_id}: would be created, {visibility}"] if remote.head is None else []
    lines += [f"add     {name}  {release.files[name].hashes[2]:,} bytes" for name in plan.add]
    lines += [f"change  {name}  {release.files[name].hashes[2]:,} bytes" for name in plan.change]
    lines += [f"delete  {name}" for name in plan.delete]
    lines += [f"same    {name}" for name in plan.same]
    lines += [f"tag     {where.tag} on {'the new commit' if plan else remote.head}"] if where.tag else []
    return lines + ([] if api.token else ["no Hub token found; publishing needs one: hf auth login, or set HF_TOKEN"])


def check(api: "HfApi | None", where: Target, say: Say = print) -> None:
    """Finds out, before any work, whether this token may write there.

    Raises:
        CodeprefError: no token, one that may only read, or a name that is taken.
    """
    api = api or _api(where, writes=True)
    with _explained(where, "is as it was"):
        auth = _patiently(api.whoami, say).get("auth", {}).get("accessToken", {})
        if auth.get("role") == "read":
            raise CodeprefError(
                f"{where.repo_id}: the token {auth.get('displayName', '')!r} may only read; make one with the role "
                "'write' and log in with it: hf auth login"
            )
        remote = _patiently(lambda: look(api, where), say)
        if remote.head is None:
            other: Kind = "model" if where.kind == "dataset" else "dataset"
            if _patiently(lambda: api.repo_exists(where.repo_id, repo_type=other), say):
                raise CodeprefError(
                    f"{where.repo_id} is already the name of a {other}; a {where.kind} of that name would be mistaken "
                    "for it, choose another --repo"
                )
            return
        if where.private and not remote.private:
            raise CodeprefError(f"{where.repo_id} is public already; make it private in its settings, or omit --private")
        _patiently(lambda: api.auth_check(where.repo_id, repo_type=where.kind, write=True), say)


def look(api: "HfApi", where: Target) -> Remote:
    """What the repository holds now."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.repo_info(where.repo_id, repo_type=where.kind)
    except RepositoryNotFoundError:
        return Remote(files={}, tags={})
    refs = api.list_repo_refs(where.repo_id, repo_type=where.kind)
    tags = {ref.name: ref.target_commit for ref in refs.tags}
    return Remote(info.sha, bool(info.private), _listing(api, where, info.sha), tags)


def compare(release: Release, remote: Mapping[str, str]) -> Plan:
    """What has to change in a repository so that it holds the release and nothing else."""
    ours, theirs = set(release.files), set(remote) - HUB_FILES
    both = sorted(ours & theirs)
    same = [name for name in both if remote[name] in release.files[name].hashes[:2]]
    return Plan(
        add=tuple(sorted(ours - theirs)),
        change=tuple(name for name in both if name not in same),
        delete=tuple(sorted(theirs - ours)),
        same=tuple(same),
    )


def _api(where: Target, writes: bool) -> "HfApi":
    import huggingface_hub

    huggingface_hub.logging.set_verbosity_error()  # its warnings name signed addresses; ours say what happens
    token = huggingface_hub.get_token()
    if token is None and writes:
        raise CodeprefError(f"{where.repo_id}: no Hub token found; log in with `hf auth login` or set HF_TOKEN")
    return huggingface_hub.HfApi(token=token or False, library_name="codepref", library_version=__version__)


def _listing(api: "HfApi", where: Target, revision: str) -> dict[str, str]:
    from huggingface_hub import RepoFile

    tree = api.list_repo_tree(where.repo_id, recursive=True, revision=revision, repo_type=where.kind)
    return {item.path: item.lfs.sha256 if item.lfs else item.blob_id for item in tree if isinstance(item, RepoFile)}


def _under_tag(api: "HfApi", release: Release, where: Target, remote: Remote, say: Say) -> str | None:
    """The commit that already is this release under this tag (or on main, if no tag is asked for); else None.

    Raises:
        CodeprefError: the tag names something else. A tag that people may have cited is never moved.
    """
    if where.tag is None or where.tag not in remote.tags:
        return remote.head if remote.head and not where.tag and not compare(release, remote.files) else None
    commit = remote.tags[where.tag]
    if compare(release, _patiently(lambda: _listing(api, where, commit), say)):
        raise CodeprefError(
            f"{where.revision} is already published with other content (commit {commit[:8]}); tags are never moved, "
            "choose another --tag"
        )
    return commit


def _guard(plan: Plan, where: Target, remote: Remote) -> None:
    """Keeps files of others from being deleted: what codepref published has a manifest."""
    foreign = [name for name in plan.delete if name != "README.md"]
    if foreign and "manifest.json" not in remote.files:
        raise CodeprefError(
            f"{where.repo_id} holds files that codepref did not publish ({', '.join(foreign[:3])}"
            f"{', ...' if len(foreign) > 3 else ''}); they would be deleted: delete them yourself or choose another --repo"
        )


def _commit(api: "HfApi", release: Release, where: Target, say: Say) -> str:
    """One commit that turns what the repository holds into the release; its id."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    remote = look(api, where)
    if remote.head is None:
        api.create_repo(where.repo_id, repo_type=where.kind, private=where.private or None)
        say(f"{where.repo_id}: created")
        remote = look(api, where)
    plan = compare(release, remote.files)
    _guard(plan, where, remote)
    if not plan:
        assert remote.head is not None
        return remote.head
    changed = [release.files[name] for name in (*plan.add, *plan.change)]
    additions = [CommitOperationAdd(file.name, _content(file)) for file in changed]
    _upload(api, where, additions)
    info = api.create_commit(
        where.repo_id,
        [*additions, *(CommitOperationDelete(name, is_folder=False) for name in plan.delete)],
        commit_message=f"Publish {where.tag or where.kind} with codepref {__version__}",
        repo_type=where.kind,
        parent_commit=remote.head,
    )
    say(f"{where.repo_id}: commit {info.oid[:8]}: {len(changed)} files sent, {len(plan.delete)} deleted")
    return str(info.oid)


def _content(file: File) -> str | bytes:
    return str(file.content) if isinstance(file.content, Path) else file.content


def _upload(api: "HfApi", where: Target, additions: list[Any]) -> None:
    """Sends the bytes of large files. The client tries each request six times, so this is not repeated."""
    import httpx2

    try:
        api.preupload_lfs_files(where.repo_id, additions, repo_type=where.kind, free_memory=False)
    except (httpx2.HTTPError, OSError, RuntimeError, ValueError) as error:
        raise CodeprefError(
            f"{where.repo_id}: the upload broke off: {_reason(error)}; nothing was committed, run the same command "
            "again (what has arrived is not sent twice)"
        ) from error


def _tag(api: "HfApi", release: Release, where: Target, commit: str, say: Say) -> None:
    assert where.tag is not None
    if _under_tag(api, release, where, look(api, where), say) is None:
        api.create_tag(where.repo_id, tag=where.tag, revision=commit, repo_type=where.kind)
    say(f"{where.revision}: tagged")


def _load_back(api: "HfApi", release: Release, where: Target, commit: str, say: Say) -> None:
    """Reads what others will read: every file by tag, then each dataset config through `load_dataset`.

    Raises:
        CodeprefError: something is not what was sent, or can not be read.
    """
    revision = where.tag or commit
    with _explained(where, f"is published (commit {commit[:8]}) but was not checked; run the same command again"):
        if plan := compare(release, _patiently(lambda: _listing(api, where, revision), say)):
            names = ", ".join([*plan.add, *plan.change, *plan.delete])
            raise CodeprefError(f"{where.revision}: {names} differ from what was sent; publish again")
        for file in release.files.values():
            if file.hashes[2] <= DOWNLOADED:
                _patiently(lambda file=file: _compare_download(api, file, where, revision), say)  # type: ignore[misc]
        for config in release.configs:
            _patiently(lambda config=config: _first_row(api, where, revision, config), say)  # type: ignore[misc]
    total = sum(file.hashes[2] for file in release.files.values())
    say(f"{where.revision}: loaded back, {len(release.files)} files, {total:,} bytes, all hashes equal")


def _compare_download(api: "HfApi", file: File, where: Target, revision: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = api.hf_hub_download(
            where.repo_id, file.name, repo_type=where.kind, revision=revision, local_dir=folder
        )
        if File(file.name, Path(path)).hashes != file.hashes:
            raise CodeprefError(f"{where.revision}: {file.name} came back with other bytes; publish again")


def _first_row(api: "HfApi", where: Target, revision: str, config: str) -> None:
    import datasets

    try:
        rows = datasets.load_dataset(
            where.repo_id, config, split="train", revision=revision, streaming=True, token=api.token or False
        )
        next(iter(rows))
    except (ValueError, StopIteration, datasets.exceptions.DatasetsError) as error:
        raise CodeprefError(f"{where.revision}: load_dataset can not open {config!r}: {_first_line(error)}") from error


def _patiently(call: Callable[[], Result], say: Say) -> Result:
    """Calls up to `TRIES` times while what goes wrong is likely to pass."""
    import httpx2
    from huggingface_hub import get_session

    for attempt in range(TRIES):
        get_session().timeout = SILENCE_S
        try:
            return call()
        except (httpx2.HTTPError, json.JSONDecodeError) as error:
            wait = _wait(error, attempt)
            if wait is None:
                raise
            say(f"{_reason(error)}; trying again in {wait:g} s")
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _wait(error: Exception, attempt: int) -> float | None:
    """Seconds to wait before the next try; None: it is no use."""
    import httpx2

    if attempt == TRIES - 1 or not isinstance(error, httpx2.HTTPError | json.JSONDecodeError):
        return None
    response = getattr(error, "response", None)
    if response is None:
        return FIRST_WAIT_S * 2**attempt
    if response.status_code not in PASSING:
        return None
    asked = _asked(response)
    if asked is not None:
        return asked if asked <= LONGEST_WAIT_S else None
    return FIRST_WAIT_S * 2**attempt


def _asked(response: Any) -> float | None:
    """Seconds the Hub asks to wait for: Retry-After, or the reset of the rate limit."""
    from huggingface_hub.utils import parse_ratelimit_headers

    stated = response.headers.get("Retry-After", "")
    if stated.isdigit():
        return float(stated)
    limit = parse_ratelimit_headers(response.headers)
    return float(limit.reset_in_seconds) if limit and limit.remaining == 0 else None


@contextlib.contextmanager
def _explained(where: Target, state: str) -> Iterator[None]:
    """Turns whatever the client raises into one line that says what went wrong and how the repository is left."""
    import httpx2

    try:
        yield
    except (httpx2.HTTPError, OSError, ValueError) as error:
        raise CodeprefError(f"{where.repo_id}: {_reason(error)}; {where.repo_id} {state}") from error


def _reason(error: BaseException) -> str:
    """One line for an error of the client, of the network or of the disk. Never holds a token or a signed address."""
    import httpx2
    from huggingface_hub import constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    while error.__cause__ is not None and not isinstance(error, httpx2.HTTPError):
        error = error.__cause__
    response = getattr(error, "response", None)
    if response is not None:
        return _status(response, str(getattr(error, "server_message", None) or ""))
    if isinstance(error, OfflineModeIsEnabled):
        return "offline mode is on (HF_HUB_OFFLINE); unset it"
    if isinstance(error, json.JSONDecodeError):
        return f"{constants.ENDPOINT} answered something that is not JSON"
    if isinstance(error, httpx2.HTTPError):
        return f"no connection to {constants.ENDPOINT} ({_first_line(error) or type(error).__name__})"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or tempfile.gettempdir()}: {error.strerror}"
    return _first_line(error)


def _status(response: Any, message: str) -> str:
    said = f" ({_first_line(message)})" if message else ""
    status = response.status_code
    if status == 401:
        return f"the Hub does not accept the token{said}; log in again: hf auth login"
    if status == 403:
        return f"the token may not do this{said}; it needs write permission there: hf auth login"
    if status == 429:
        asked = _asked(response)
        return f"too many requests{f', the Hub asks to wait {asked:.0f} s' if asked else ''}{said}"
    return f"the Hub answered {status} {response.reason_phrase}{said}"


def _first_line(error: object) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
