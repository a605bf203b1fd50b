"""Repositories in memory: trees, commits, branches, tags, and the store of large files."""

import base64
import hashlib
import re
from dataclasses import dataclass, field

import yaml

LARGE = 1 << 20
LARGE_NAMES = (".parquet", ".safetensors", ".bin", ".arrow", ".png")


class Refused(Exception):
    """An answer of the Hub that is not 2xx."""

    def __init__(self, status, message, code=None):
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


def git_blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass(frozen=True)
class Blob:
    data: bytes
    lfs: bool

    @property
    def sha256(self):
        return hashlib.sha256(self.data).hexdigest()

    @property
    def pointer(self):
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.data)}\n".encode()

    @property
    def oid(self):
        return git_blob(self.pointer if self.lfs else self.data)

    @property
    def etag(self):
        return self.sha256 if self.lfs else self.oid


@dataclass
class Repo:
    kind: str
    name: str
    private: bool = False
    trees: dict = field(default_factory=dict)
    """Commit id -> path -> Blob."""
    log: list = field(default_factory=list)
    """(commit id, title), oldest first."""
    tags: dict = field(default_factory=dict)

    def __post_init__(self):
        self._add({".gitattributes": Blob(b"*.parquet filter=lfs diff=lfs merge=lfs -text\n", False)}, "initial commit")

    @property
    def head(self):
        return self.log[-1][0]

    @property
    def files(self):
        """What main holds: path -> bytes."""
        return {path: blob.data for path, blob in self.trees[self.head].items()}

    def resolve(self, revision):
        if revision in ("main", "refs/heads/main", "HEAD"):
            return self.head
        for commit in (self.tags.get(revision), revision):
            if commit in self.trees:
                return commit
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def commit(self, lines, objects):
        """Applies one NDJSON commit, whole or not at all.

        Args:
            lines: The request's items, header first.
            objects: sha256 -> bytes of the large files that arrived.
        """
        header, *changes = lines
        parent = header["value"].get("parentCommit")
        if parent and parent != self.head:
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(self.trees[self.head])
        for change in changes:
            self._apply(tree, change["key"], change["value"], objects)
        if "README.md" in tree:
            validate(tree["README.md"].data.decode())
        return self._add(tree, header["value"]["summary"])

    def tag(self, name, revision):
        if name in self.tags:
            raise Refused(409, f"Tag reference {name} already exists")
        self.tags[name] = self.resolve(revision)

    def _apply(self, tree, key, value, objects):
        path = value["path"]
        if key == "file":
            tree[path] = Blob(base64.b64decode(value["content"]), False)
        elif key == "lfsFile":
            if value["oid"] not in objects:
                raise Refused(400, f"LFS pointer points to a file that does not exist: {path}")
            tree[path] = Blob(objects[value["oid"]], True)
        elif key == "deletedFile":
            if path not in tree:
                raise Refused(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
            del tree[path]
        else:
            raise Refused(400, f"unknown operation {key}")

    def _add(self, tree, title):
        lines = "".join(f"{path} {blob.oid}\n" for path, blob in sorted(tree.items()))
        parent = self.head if self.log else ""
        commit = hashlib.sha1(f"{parent}\n{title}\n{lines}".encode()).hexdigest()
        self.trees[commit] = tree
        self.log.append((commit, title))
        return commit


def validate(text):
    """The Hub's check of a card's front matter, as far as YAML goes."""
    match = re.match(r"\A---\r?\n(.*?)\r?\n---\r?\n", text, re.S)
    try:
        data = yaml.safe_load(match[1]) if match else {}
    except yaml.YAMLError as error:
        raise Refused(400, f"Invalid metadata in README.md: {error}") from None
    if not isinstance(data, dict):
        raise Refused(400, "Invalid metadata in README.md: not a mapping")
    return data


def upload_mode(path, size):
    return "lfs" if size > LARGE or path.endswith(LARGE_NAMES) else "regular"
