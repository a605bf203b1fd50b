"""Publishing on the Hub: a release becomes one commit and, if asked, a tag; then it is loaded back and compared.

Everything begins with a look at what the repository holds. So a second publish finds nothing to do, and a commit that
arrived although its answer was lost on the way (the gateway said 504) is found and not repeated.
"""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref import __version__, reach
from codepref.errors import CodeprefError
from codepref.publish.release import File, Kind, Release
from codepref.publish.retry import Say, explained, first_line, patiently, reason

if TYPE_CHECKING:
    from huggingface_hub import HfApi

DOWNLOADED = 1 << 30
"""Files up to this size, in bytes, are downloaded to be compared; of larger ones the Hub's own sha256 must do."""
HUB_FILES = {".gitattributes"}
"""Files that the Hub makes by itself."""


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
    files: Mapping[str, str] = field(default_factory=dict)
    """Path -> the hash by which the Hub knows the file."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tag -> commit id."""


@dataclass(frozen=True)
class Transfer:
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
        raise CodeprefError(f"{repo}: {first_line(error)}") from None
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
    check_access(where, say)
    api = _api(where, writes=True)
    with explained(where.repo_id, "is as it was"):
        remote = patiently(lambda: look(api, where), say)
        done = patiently(lambda: _under_tag(api, release, where, remote), say)
    if done:
        say(f"{where.revision}: nothing to do, it holds exactly this folder (commit {done[:8]})")
        _load_back(api, release, where, done, say)
        return done
    with explained(where.repo_id, "is as it was or whole, never in between; run the same command again"):
        commit = patiently(lambda: _commit(api, release, where, say), say)
    if where.tag:
        with explained(
            where.repo_id, f"is whole (commit {commit[:8]}), its tag is missing; run the same command again"
        ):
            patiently(lambda: _tag(api, release, where, commit, say), say)
    _load_back(api, release, where, commit, say)
    return commit


def preview(release: Release, where: Target) -> list[str]:
    """Lines that tell what `publish` would do. Changes nothing; without a token it looks at what is public.

    Raises:
        CodeprefError: what would keep `publish` from beginning.
    """
    api = _api(where, writes=False)
    if api.token:
        check_access(where, lambda _: None)
    with explained(where.repo_id, "is as it was"):
        remote = patiently(lambda: look(api, where), lambda _: None)
        done = patiently(lambda: _under_tag(api, release, where, remote), lambda _: None)
    if done:
        return [f"{where.revision}: nothing to do, it holds exactly this folder (commit {done[:8]})"]
    plan = plan_transfer(release, remote.files)
    _guard(plan, where, remote)
    visibility = "private" if where.private else "public"
    lines = [f"{where.repo_id}: would be created, {visibility}"] if remote.head is None else []
    lines += [f"add     {name}  {release.files[name].hashes[2]:,} bytes" for name in plan.add]
    lines += [f"change  {name}  {release.files[name].hashes[2]:,} bytes" for name in plan.change]
    lines += [f"delete  {name}" for name in plan.delete]
    lines += [f"same    {name}" for name in plan.same]
    lines += [f"tag     {where.tag} on {'the new commit' if plan else remote.head}"] if where.tag else []
    return lines + ([] if api.token else ["no Hub token found; publishing needs one: hf auth login, or set HF_TOKEN"])


def check_access(where: Target, say: Say = print) -> None:
    """Finds out, before any work, whether this token may write there.

    Raises:
        CodeprefError: no token, one that may only read, or a name that is taken.
    """
    api = _api(where, writes=True)
    with explained(where.repo_id, "is as it was"):
        auth = patiently(api.whoami, say).get("auth", {}).get("accessToken", {})
        if auth.get("role") == "read":
            raise CodeprefError(
                f"{where.repo_id}: the token {auth.get('displayName', '')!r} may only read; make one with the role "
                "'write' and log in with it: hf auth login"
            )
        remote = patiently(lambda: look(api, where), say)
        if remote.head is None:
            other: Kind = "model" if where.kind == "dataset" else "dataset"
            if patiently(lambda: api.repo_exists(where.repo_id, repo_type=other), say):
                raise CodeprefError(
                    f"{where.repo_id} is already the name of a {other}; a {where.kind} of that name would be mistaken "
                    "for it, choose another --repo"
                )
            return
        if where.private and not remote.private:
            raise CodeprefError(
                f"{where.repo_id} is public already; make it private in its settings, or omit --private"
            )
        patiently(lambda: api.auth_check(where.repo_id, repo_type=where.kind, write=True), say)


def look(api: "HfApi", where: Target) -> Remote:
    """What the repository holds now."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.repo_info(where.repo_id, repo_type=where.kind)
    except RepositoryNotFoundError:
        return Remote()
    refs = api.list_repo_refs(where.repo_id, repo_type=where.kind)
    tags = {ref.name: ref.target_commit for ref in refs.tags}
    return Remote(info.sha, bool(info.private), _listing(api, where, info.sha), tags)


def plan_transfer(release: Release, remote: Mapping[str, str]) -> Transfer:
    """What has to change in a repository so that it holds the release and nothing else."""
    ours, theirs = set(release.files), set(remote) - HUB_FILES
    both = sorted(ours & theirs)
    same = [name for name in both if remote[name] in release.files[name].hashes[:2]]
    return Transfer(
        add=tuple(sorted(ours - theirs)),
        change=tuple(name for name in both if name not in same),
        delete=tuple(sorted(theirs - ours)),
        same=tuple(same),
    )


def _api(where: Target, writes: bool) -> "HfApi":
    import huggingface_hub

    huggingface_hub.logging.set_verbosity_error()  # its warnings name signed addresses; ours say what happens
    if not sys.stderr.isatty():
        huggingface_hub.utils.disable_progress_bars()
    token = huggingface_hub.get_token()
    if token is None and writes:
        raise CodeprefError(f"{where.repo_id}: no Hub token found; log in with `hf auth login` or set HF_TOKEN")
    if not huggingface_hub.constants.HF_HUB_OFFLINE and not reach.answers():
        raise CodeprefError(
            f"{where.repo_id}: no connection to {huggingface_hub.constants.ENDPOINT}; {reach.REMEDY}, then run the "
            "same command again. Nothing was sent"
        )
    return huggingface_hub.HfApi(token=token or False, library_name="codepref", library_version=__version__)


def _listing(api: "HfApi", where: Target, revision: str) -> dict[str, str]:
    from huggingface_hub import RepoFile

    tree = api.list_repo_tree(where.repo_id, recursive=True, revision=revision, repo_type=where.kind)
    return {item.path: item.lfs.sha256 if item.lfs else item.blob_id for item in tree if isinstance(item, RepoFile)}


def _under_tag(api: "HfApi", release: Release, where: Target, remote: Remote) -> str | None:
    """The commit that already is this release under this tag (or on main, if no tag is asked for); else None.

    Raises:
        CodeprefError: the tag names something else. A tag that people may have cited is never moved.
    """
    if where.tag is None or where.tag not in remote.tags:
        return remote.head if remote.head and not where.tag and not plan_transfer(release, remote.files) else None
    commit = remote.tags[where.tag]
    if plan_transfer(release, _listing(api, where, commit)):
        raise CodeprefError(
            f"{where.revision} is already published with other content (commit {commit[:8]}); tags are never moved, "
            "choose another --tag"
        )
    return commit


def _guard(plan: Transfer, where: Target, remote: Remote) -> None:
    """Keeps files of others from being deleted: what codepref published has a manifest."""
    foreign = [name for name in plan.delete if name != "README.md"]
    if foreign and "manifest.json" not in remote.files:
        raise CodeprefError(
            f"{where.repo_id} holds files that codepref did not publish ({', '.join(foreign[:3])}"
            f"{', ...' if len(foreign) > 3 else ''}) and that would be deleted; delete them yourself or choose "
            "another --repo"
        )


def _commit(api: "HfApi", release: Release, where: Target, say: Say) -> str:
    """One commit that turns what the repository holds into the release; its id."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    remote = look(api, where)
    if remote.head is None:
        api.create_repo(where.repo_id, repo_type=where.kind, private=where.private or None)
        say(f"{where.repo_id}: created")
        remote = look(api, where)
    plan = plan_transfer(release, remote.files)
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
            f"{where.repo_id}: the upload broke off: {reason(error)}; nothing was committed, run the same command "
            "again (what has arrived is not sent twice)"
        ) from error


def _tag(api: "HfApi", release: Release, where: Target, commit: str, say: Say) -> None:
    assert where.tag is not None
    if _under_tag(api, release, where, look(api, where)) is None:
        api.create_tag(where.repo_id, tag=where.tag, revision=commit, repo_type=where.kind)
    say(f"{where.revision}: tagged")


def _load_back(api: "HfApi", release: Release, where: Target, commit: str, say: Say) -> None:
    """Reads what others will read: every file by tag, then each dataset config through `load_dataset`.

    Raises:
        CodeprefError: something is not what was sent, or can not be read.
    """
    revision = where.tag or commit
    with explained(
        where.repo_id, f"is published (commit {commit[:8]}) but was not checked; run the same command again"
    ):
        if plan := plan_transfer(release, patiently(lambda: _listing(api, where, revision), say)):
            names = ", ".join([*plan.add, *plan.change, *plan.delete])
            raise CodeprefError(f"{where.revision}: {names} differ from what was sent; publish again")
        for file in release.files.values():
            if file.hashes[2] <= DOWNLOADED:
                patiently(lambda file=file: _compare_download(api, file, where, revision), say)  # type: ignore[misc]
        for config in release.configs:
            patiently(lambda config=config: _first_row(api, where, revision, config), say)  # type: ignore[misc]
    total = sum(file.hashes[2] for file in release.files.values())
    say(f"{where.revision}: loaded back, {len(release.files)} files, {total:,} bytes, all hashes equal")


def _compare_download(api: "HfApi", file: File, where: Target, revision: str) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    with tempfile.TemporaryDirectory() as folder:
        try:
            path = api.hf_hub_download(
                where.repo_id, file.name, repo_type=where.kind, revision=revision, local_dir=folder
            )
        except LocalEntryNotFoundError as error:  # the client's word for "no answer, and nothing in the cache"
            raise error.__cause__ or error from None
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
        raise CodeprefError(f"{where.revision}: load_dataset can not open {config!r}: {first_line(error)}") from error
