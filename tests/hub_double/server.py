"""The HTTP side: routes of the Hub that `huggingface_hub` and `datasets` use, as recorded from those clients."""

import contextlib
import hashlib
import json
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

from hub_double import xet
from hub_double.storage import Refused, Repo, upload_mode, validate

REPO = r"(?P<kind>models|datasets|spaces)/(?P<name>[\w.-]+/[\w.-]+)"
ROUTES = [
    ("GET", r"/api/whoami-v2", "whoami"),
    ("POST", r"/api/repos/create", "create"),
    ("POST", r"/api/validate-yaml", "validate"),
    ("GET", rf"/api/{REPO}/auth-check(?P<write>/write)?", "auth_check"),
    ("GET", rf"/api/{REPO}/refs", "refs"),
    ("POST", rf"/api/{REPO}/preupload/(?P<rev>[^/]+)", "preupload"),
    ("POST", rf"/api/{REPO}/commit/(?P<rev>[^/]+)", "commit"),
    ("POST", rf"/api/{REPO}/tag/(?P<rev>[^/]+)", "tag"),
    ("GET", rf"/api/{REPO}/tree/(?P<rev>[^/]+)(?:/(?P<path>.*))?", "tree"),
    ("POST", rf"/api/{REPO}/paths-info/(?P<rev>[^/]+)", "paths_info"),
    ("GET", rf"/api/{REPO}(?:/revision/(?P<rev>[^/]+))?", "info"),
    ("POST", r"/(?P<prefix>datasets/)?(?P<name>[\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch", "lfs_batch"),
    ("GET", rf"/api/{REPO}/xet-write-token/(?P<rev>[^/]+)", "xet_token"),
    ("POST", r"/v1/xorbs/default/(?P<key>[0-9a-f]{64})", "xorb"),
    ("POST", r"/v1/shards", "shard"),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", "lfs_put"),
    ("POST", r"/lfs/verify", "lfs_verify"),
    ("GET", r"/(?P<prefix>datasets/)?(?P<name>[\w.-]+/[\w.-]+)/resolve/(?P<rev>[^/]+)/(?P<path>.+)", "resolve"),
]


@dataclass
class Fault:
    """Something that goes wrong with the next `times` requests whose method and path match."""

    method: str
    path: str
    """Regular expression, searched in the path."""
    status: int = 0
    """0 cuts the connection."""
    times: int = 1
    headers: dict = field(default_factory=dict)
    body: bytes = b'{"error": "injected"}'
    done: bool = False
    """The work is done first, and only the answer is lost."""
    other: object = None
    """Called before the request is served, without another fault: what somebody else does meanwhile."""


@dataclass
class User:
    name: str
    role: str = "write"
    orgs: tuple = ()


class Hub:
    """A running Hub: `with Hub() as hub`, then `hub.url`."""

    def __init__(self):
        self.repos, self.objects, self.xorbs, self.faults, self.requests = {}, {}, {}, [], []
        self.users = {"hf_writer": User("ada", orgs=("org",)), "hf_reader": User("ada", "read", ("org",))}
        self.users["hf_stranger"] = User("eve")
        self.lock = threading.RLock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def reset(self):
        """Forgets all but the xorbs: the client remembers on disk which ones this Hub has, and sends none twice."""
        for held in (self.repos, self.objects, self.faults, self.requests):
            held.clear()

    def repo(self, kind, name):
        if (kind, name) not in self.repos:
            self.repos[kind, name] = Repo(kind, name)
        return self.repos[kind, name]

    def fault(self, method, path):
        for fault in self.faults:
            if fault.times and fault.method == method and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return None


class Handler(BaseHTTPRequestHandler):
    """One request: fault or route, under the Hub's lock."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    hub: Hub

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.serve()

    do_HEAD = do_POST = do_PUT = do_GET

    def serve(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(url.query)
        self.answered = False
        path = urllib.parse.unquote(url.path)
        self.hub.requests.append((self.command, path))
        fault = self.hub.fault(self.command, url.path)
        if fault and not (fault.done or fault.other):
            return self.fail(fault, read=fault.status != 0)
        self.body = self.receive()
        if fault and fault.other:
            fault.other()
        if fault and fault.done:
            with self.hub.lock:
                self.route(url.path, lambda *_, **__: None)
            return self.fail(fault)
        with self.hub.lock:
            return self.route(url.path, self.answer)

    def receive(self):
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while length := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def fail(self, fault, read=False):
        if read:
            self.receive()
        if fault.status:
            return self.answer(fault.status, fault.body, fault.headers)
        if self.command == "PUT":
            self.rfile.read(int(self.headers.get("Content-Length", 0)) // 2)  # in the middle of an upload
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(2)
        return None

    def route(self, path, answer):
        method = "GET" if self.command == "HEAD" else self.command
        try:
            for wanted, pattern, name in ROUTES:
                match = re.fullmatch(pattern, path)
                if method == wanted and match:
                    values = {key: urllib.parse.unquote(value or "") for key, value in match.groupdict().items()}
                    return answer(*getattr(self, name)(**values))
            raise Refused(404, f"no such route: {path}")
        except Refused as refused:
            headers = {"X-Error-Message": refused.message.splitlines()[0]}
            headers |= {"X-Error-Code": refused.code} if refused.code else {}
            return answer(refused.status, {"error": refused.message}, headers)

    def answer(self, status, body, headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        merged = {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}
        for key, value in merged.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    # who may do what

    def user(self):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.hub.users:
            raise Refused(401, "Invalid credentials in Authorization header")
        return self.hub.users.get(token)

    def readable(self, kind, name):
        repo, user = self.hub.repos.get((kind, name)), self.user()
        owner = name.partition("/")[0]
        if repo is None or (repo.private and (user is None or owner not in (user.name, *user.orgs))):
            raise Refused(404 if user else 401, "Repository not found", "RepoNotFound")
        return repo

    def may_write(self, name):
        user = self.user()
        if user is None:
            raise Refused(401, "Unauthorized")
        if user.role != "write" or name.partition("/")[0] not in (user.name, *user.orgs):
            raise Refused(403, f"You don't have the rights to write to {name}")

    def writable(self, kind, name):
        repo = self.readable(kind, name)
        self.may_write(name)
        return repo

    # routes: each returns status, body, headers

    def whoami(self):
        user = self.user()
        if user is None:
            raise Refused(401, "Unauthorized")
        token = {"displayName": f"{user.role} token", "role": user.role}
        orgs = [{"name": org} for org in user.orgs]
        return 200, {"name": user.name, "type": "user", "orgs": orgs, "auth": {"accessToken": token}}

    def create(self):
        wanted = json.loads(self.body)
        name = f"{wanted.get('organization') or self.user().name}/{wanted['name']}"
        self.may_write(name)
        kind = f"{wanted.get('type') or 'model'}s"
        if (kind, name) in self.hub.repos:
            raise Refused(409, f"You already created this {kind[:-1]} repo")
        private = wanted.get("visibility") == "private" or wanted.get("private", False)
        self.hub.repos[kind, name] = Repo(kind, name, private)
        prefix = "" if kind == "models" else f"{kind}/"
        return 200, {"url": f"{self.hub.url}/{prefix}{name}", "name": name, "id": name}

    def validate(self):
        try:
            validate(json.loads(self.body)["content"])
        except Refused as refused:
            return 400, {"errors": [{"message": refused.message}], "warnings": []}
        return 200, {"errors": [], "warnings": []}

    def auth_check(self, kind, name, write):
        (self.writable if write else self.readable)(kind, name)
        return 200, {}

    def refs(self, kind, name):
        repo = self.readable(kind, name)
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head}
        tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": commit} for tag, commit in repo.tags.items()]
        return 200, {"branches": [main], "converts": [], "tags": tags}

    def info(self, kind, name, rev):
        repo = self.readable(kind, name)
        commit = repo.resolve(rev or "main")
        files = repo.trees[commit]
        card = validate(files["README.md"].data.decode()) if "README.md" in files else {}
        siblings = [{"rfilename": path} for path in sorted(files)]
        body = {"id": name, "_id": "0" * 24, "sha": commit, "private": repo.private, "disabled": False}
        body |= {"gated": False, "downloads": 0, "likes": 0, "tags": card.get("tags", []), "siblings": siblings}
        body |= {"cardData": card, "lastModified": "2026-11-21T00:00:00.000Z"}
        if "evalResults" in self.query.get("expand", []):
            body["evalResults"] = [
                {"filename": path, "data": entry}
                for path in sorted(files)
                if re.fullmatch(r"\.eval_results/[^/]+\.yaml", path)
                for entry in yaml.safe_load(files[path].data)
            ]
        return 200, body

    def tree(self, kind, name, rev, path):
        files = self.trees(kind, name, rev)
        inside = {item: blob for item, blob in files.items() if not path or item.startswith(f"{path}/")}
        if path and not inside:
            raise Refused(404, f"{path} does not exist", "EntryNotFound")
        deep = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        return 200, listing(inside, path, deep)

    def trees(self, kind, name, rev):
        repo = self.readable(kind, name)
        return repo.trees[repo.resolve(rev)]

    def paths_info(self, kind, name, rev):
        files = self.trees(kind, name, rev)
        wanted = urllib.parse.parse_qs(self.body.decode()).get("paths", []) if self.body[:1] != b"{" else None
        wanted = json.loads(self.body)["paths"] if wanted is None else wanted
        return 200, [entry for entry in listing(files, "", True) if entry["path"] in wanted]

    def preupload(self, kind, name, rev):
        files = self.writable(kind, name).trees[self.hub.repos[kind, name].resolve(rev)]
        return 200, {
            "files": [
                {
                    "path": item["path"],
                    "uploadMode": upload_mode(item["path"], item["size"]),
                    "shouldIgnore": False,
                    "oid": files[item["path"]].etag if item["path"] in files else None,
                }
                for item in json.loads(self.body)["files"]
            ]
        }

    def commit(self, kind, name, rev):
        repo = self.writable(kind, name)
        if rev != "main":
            raise Refused(404, f"no branch {rev}", "RevisionNotFound")
        oid = repo.commit([json.loads(line) for line in self.body.splitlines() if line], self.hub.objects)
        return 200, {"success": True, "commitOid": oid, "commitUrl": f"{self.hub.url}/{kind}/{name}/commit/{oid}"}

    def tag(self, kind, name, rev):
        self.writable(kind, name).tag(json.loads(self.body)["tag"], rev)
        return 200, {}

    def lfs_batch(self, prefix, name):
        self.writable((prefix or "models/").rstrip("/"), name)
        answers = []
        for item in json.loads(self.body)["objects"]:
            answers.append({"oid": item["oid"], "size": item["size"]})
            if item["oid"] not in self.hub.objects:
                upload = {"href": f"{self.hub.url}/lfs/{item['oid']}"}
                answers[-1]["actions"] = {"upload": upload, "verify": {"href": f"{self.hub.url}/lfs/verify"}}
        return 200, {"transfer": "basic", "objects": answers}

    def lfs_put(self, oid):
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise Refused(400, "the bytes are not those of the oid")
        self.hub.objects[oid] = self.body
        return 200, {}

    def lfs_verify(self):
        wanted = json.loads(self.body)
        if len(self.hub.objects.get(wanted["oid"], b"")) != wanted["size"]:
            raise Refused(404, "object not found")
        return 200, {}

    def xet_token(self, kind, name, rev):
        self.writable(kind, name)
        return 200, {"casUrl": self.hub.url, "accessToken": "xet", "exp": 4_000_000_000}

    def xorb(self, key):
        self.hub.xorbs[key] = xet.chunks(self.body)
        return 200, {"was_inserted": True}

    def shard(self):
        try:
            self.hub.objects.update(xet.files(self.body, self.hub.xorbs))
        except KeyError as error:
            raise Refused(400, f"the shard names a xorb that never arrived: {error}") from None
        return 200, {"result": 1}

    def resolve(self, prefix, name, rev, path):
        kind = (prefix or "models/").rstrip("/")
        repo = self.readable(kind, name)
        commit = repo.resolve(rev)
        if path not in repo.trees[commit]:
            raise Refused(404, f"{path} does not exist", "EntryNotFound")
        blob = repo.trees[commit][path]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{blob.etag}"', "Accept-Ranges": "bytes"}
        if blob.lfs:
            headers |= {"X-Linked-Etag": f'"{blob.etag}"', "X-Linked-Size": str(len(blob.data))}
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not span:
            return 200, blob.data, headers
        start, end = int(span[1]), min(int(span[2] or len(blob.data) - 1), len(blob.data) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(blob.data)}"
        return 206, blob.data[start : end + 1], headers


def listing(files, path, deep):
    """Entries of a tree: files, and the folders above them."""
    entries = {}
    for name, blob in sorted(files.items()):
        inner = name.removeprefix(f"{path}/") if path else name
        parts = inner.split("/")
        for depth in range(1, len(parts) if deep else min(len(parts), 2)):
            folder = "/".join([*([path] if path else []), *parts[:depth]])
            entries[folder] = {"type": "directory", "path": folder, "size": 0, "oid": "0" * 40}
        if deep or len(parts) == 1:
            entry = {"type": "file", "path": name, "size": len(blob.data), "oid": blob.oid}
            if blob.lfs:
                entry["lfs"] = {"oid": blob.sha256, "size": len(blob.data), "pointerSize": len(blob.pointer)}
            entries[name] = entry
    return list(entries.values())
