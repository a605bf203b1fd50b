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

# What a page is measured by, as scripts: contrast of everything that is read, what sticks out, what the keyboard reaches.
CONTRAST = """
const parse = text => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
const over = (top, under) => { const a = top[3] ?? 1; return [0, 1, 2].map(i => a * top[i] + (1 - a) * under[i]); };
const light = rgb => { const [r, g, b] = rgb.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b; };
const ground = node => { const stack = []; for (let e = node; e; e = e.parentElement) stack.push(parse(getComputedStyle(e).backgroundColor));
  return stack.reverse().reduce((under, top) => over(top, under), [255, 255, 255]); };
const ratio = (one, other) => { const [a, b] = [light(one), light(other)].sort((x, y) => y - x); return (a + .05) / (b + .05); };
const found = [];
for (const e of document.querySelectorAll('body *')) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const s = getComputedStyle(e), under = ground(e), svg = e instanceof SVGElement;
  if (own && e.checkVisibility() && !['title', 'desc', 'STYLE'].includes(e.tagName)) {
    const seen = ratio(over(parse(svg ? s.fill : s.color), under), under);
    if (seen < 4.5) found.push([e.tagName, e.className.baseVal ?? e.className, e.textContent.slice(0, 30), seen]);
  }
  if (svg && e.matches('.pass, .fail, .bar, .path, .dot, .range, .truth')) {
    const seen = Math.max(...[s.fill, s.stroke].filter(v => v !== 'none').map(v => ratio(over(parse(v), under), under)));
    if (seen < 3) found.push([e.tagName, e.className.baseVal, '', seen]);
  }
}
return found;
"""
TOO_WIDE = """
const width = document.documentElement.clientWidth;
const wide = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('.scroll') &&
  !e.matches('.skip') && e.getBoundingClientRect().right > width + .5).map(e => e.outerHTML.slice(0, 80));
return [document.documentElement.scrollWidth - width, wide];
"""
REACHABLE = "return [...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')].filter(e => e.checkVisibility()).length"
FOCUSED = """
const e = document.activeElement, all = [...document.querySelectorAll('a[href], summary, [tabindex="0"]')].filter(e => e.checkVisibility());
const s = getComputedStyle(e); return [all.indexOf(e), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2];
"""
OPEN = "document.querySelectorAll('details').forEach(e => e.open = true)"


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


def unreadable(window):
    """What can not be read in a page, or sticks out, in either scheme on a phone and on a screen; all is unfolded."""
    found = []
    for scheme in ("light", "dark"):
        for width in (360, 1280):
            window.look(width, scheme)
            window.run(OPEN)
            pale, wide = window.run(CONTRAST), window.run(TOO_WIDE)
            found += [(scheme, width, pale, wide)] * (pale != [] or wide != [0, []])
    return found
