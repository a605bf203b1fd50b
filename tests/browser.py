"""A headless Chromium, driven through ChromeDriver's own protocol (W3C WebDriver: JSON over HTTP on loopback)."""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-sync",
]
TAB = "\ue004"


def found():
    """Paths of Chromium and of ChromeDriver, None where one is missing."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return chromium, shutil.which("chromedriver")


class Browser:
    """One window."""

    def __init__(self, driver, session):
        self.address = f"{driver}/session/{session}"

    def call(self, path, **body):
        return request(f"{self.address}/{path}", body)

    def open(self, path):
        self.call("url", url=path.as_uri())

    def run(self, script):
        """What a script returns."""
        return self.call("execute/sync", script=script, args=[])

    def devtools(self, command, **parameters):
        return self.call("goog/cdp/execute", cmd=command, params=parameters)

    def look(self, width, scheme, height=800, media="screen"):
        """Sets the width in CSS pixels, and `light` or `dark`."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.devtools("Emulation.setEmulatedMedia", media=media, features=[feature])

    def press(self, key):
        steps = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self.call("actions", actions=[{"type": "key", "id": "keyboard", "actions": steps}])

    def log(self, kind):
        """Entries since the last call: `browser` is the console, `performance` all that went over the network."""
        return self.call("se/log", type=kind)

    def picture(self, whole=False):
        """A PNG of the window, or of the whole page."""
        return base64.b64decode(self.devtools("Page.captureScreenshot", captureBeyondViewport=whole)["data"])


def request(address, body=None, method="POST"):
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{address}: {json.load(error)['value']['message']}") from None


@contextlib.contextmanager
def started(folder):
    """A browser with an empty profile in a folder; it is ended with the block."""
    chromium, driver = found()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    options = {"binary": chromium, "args": [*ARGUMENTS, f"--user-data-dir={folder}"]}
    wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
    with subprocess.Popen([driver, f"--port={port}", "--log-level=OFF"], stdout=subprocess.DEVNULL) as process:
        try:
            _ready(address, process)
            session = request(f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
            try:
                yield Browser(address, session)
            finally:
                request(f"{address}/session/{session}", method="DELETE")
        finally:
            process.terminate()


def _ready(address, process):
    for _ in range(200):
        with contextlib.suppress(OSError):
            if request(f"{address}/status", method="GET")["ready"]:
                return
        assert process.poll() is None, "chromedriver ended at once"
        time.sleep(0.05)
    raise AssertionError("chromedriver does not answer")
