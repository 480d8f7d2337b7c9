#!/usr/bin/env python3
"""Uses the page of `stitch serve` in headless Chromium, as a reader would: it loads, shows the sizes, streams a reply, changes
the size, asks for a key, and never reads what is written as HTML.

Chromium is driven over a pipe by its DevTools protocol. Exit code 0: all holds, or there is no Chromium, which a line says;
1: a check did not hold; 2: could not run.
"""
import argparse
import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

from openai_peer import Server, check, failures, give_up

NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"]
# Where nothing happens for so long, nothing will.
PATIENCE = 60


class Browser:
    """Chromium with one page."""

    def __init__(self, program, directory):
        (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
        # It reads commands from descriptor 3 and writes to 4: those are put there by a program between.
        high = [fcntl.fcntl(end, fcntl.F_DUPFD, 50) for end in (theirs_in, theirs_out)]
        between = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", between, *map(str, high), program, "--headless=new", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={directory}", "--remote-debugging-pipe", "about:blank"],
            pass_fds=high, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in (theirs_in, theirs_out, *high):
            os.close(end)
        self.reading, self.writing, self.rest, self.count = ours_in, ours_out, b"", 0
        self.events, self.session = [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=820, height=900, deviceScaleFactor=1, mobile=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def message(self):
        while b"\0" not in self.rest:
            if not select.select([self.reading], [], [], PATIENCE)[0]:
                give_up("Chromium says nothing more")
            piece = os.read(self.reading, 1 << 16)
            if not piece:
                give_up("Chromium has ended; try it by hand with --headless=new")
            self.rest += piece
        whole, self.rest = self.rest.split(b"\0", 1)
        return json.loads(whole)

    def call(self, method, **parameters):
        self.count += 1
        command = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.writing, json.dumps(command).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.count:
                if "error" in message:
                    give_up(f"{method}: {message['error']['message']}")
                return message["result"]
            self.events.append(message)

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            return f"exception: {result['exceptionDetails']['exception'].get('description')}"
        return result["result"].get("value")

    def wait(self, expression):
        """Whether it becomes true."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.value(expression) is True:
                return True
            time.sleep(0.02)
        return False

    def press(self, key, code):
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def send(self, text):
        """Types a message and sends it; the reply, and the note under it, when it is whole."""
        notes = self.value("document.querySelectorAll('.note').length")
        self.value("document.getElementById('text').focus()")
        self.call("Input.insertText", text=text)
        self.press("Enter", 13)
        if not self.wait(f"document.querySelectorAll('.note').length > {notes}"):
            return None, None
        return self.value("[...document.querySelectorAll('.assistant')].at(-1)?.textContent"), self.value(
            "[...document.querySelectorAll('.note')].at(-1).textContent")

    def requests(self):
        return [event["params"]["request"] for event in self.events if event["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        kinds = ("Runtime.exceptionThrown", "Log.entryAdded")
        return [event["params"] for event in self.events if event["method"] in kinds]


def use(browser, server, picture):
    root = server.url.removesuffix("/v1")
    browser.call("Page.navigate", url=f"{root}/")
    check("the page loads its sizes", browser.wait("sizes.length > 1"))
    count = browser.value("sizes.length")
    check("the slider has a place for each size", browser.value("Number(document.getElementById('slider').max)") == count - 1)
    check("the frontier has a dot for each size", browser.value("document.querySelectorAll('#frontier circle').length") == count)
    check("the dearest is chosen", "large" in browser.value("document.getElementById('size').textContent"))
    check("no key is asked for", browser.value("document.getElementById('key').offsetParent === null"))
    browser.value("changes = 0; new MutationObserver(() => changes += 1).observe("
                  "document.getElementById('log'), { childList: true, subtree: true, characterData: true })")
    text, note = browser.send("what is 12 + 7?")
    check("a message is answered", text and "19" in text, text)
    check("the note says by what", note and note.startswith("large"), note)
    asked = json.loads([request for request in browser.requests() if request["method"] == "POST"][-1]["postData"])
    check("it was asked of the size on the slider", asked["model"] == "tiny/large", asked["model"])
    if picture:
        browser.call("Page.bringToFront")
        picture.write_bytes(base64.b64decode(browser.call("Page.captureScreenshot")["data"]))
    browser.value("changes = 0")
    text, _ = browser.send("tell me a story")
    check("a long reply comes piece by piece", text and browser.value("changes") > 4, browser.value("changes"))
    browser.value("document.getElementById('slider').focus()")
    browser.press("Home", 36)
    check("the slider moves", "small" in browser.value("document.getElementById('size').textContent"))
    chosen = "[...document.querySelectorAll('#frontier circle')].findIndex((dot) => dot.classList.contains('chosen'))"
    check("the frontier follows", browser.value(chosen) == 0)
    text, note = browser.send("hello")
    check("the next reply is the smaller one's", text and note.startswith("small"), note)
    asked = json.loads([request for request in browser.requests() if request["method"] == "POST"][-1]["postData"])
    check("the conversation goes on", [message["role"] for message in asked["messages"]] == ["user", "assistant"] * 2 + ["user"])
    check("nothing comes from elsewhere", all(request["url"].startswith((root, "data:", "about:")) for request in browser.requests()),
          browser.requests())
    check("nothing is complained of", not browser.complaints(), browser.complaints())


HOSTILE = '<img src=x onerror="hurt = 1"><b>bold</b><script>hurt = 2</script>'


def show_hostile(browser):
    """A message that is HTML, and a reply that is."""
    browser.value("hurt = 0")
    browser.call("Fetch.enable", patterns=[{"urlPattern": "*/v1/chat/completions"}])
    browser.value("document.getElementById('text').focus()")
    browser.call("Input.insertText", text=HOSTILE)
    browser.press("Enter", 13)
    while not (paused := [event for event in browser.events if event["method"] == "Fetch.requestPaused"]):
        browser.events.append(browser.message())
    event = {"choices": [{"delta": {"content": HOSTILE}}]}
    body = base64.b64encode(f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode()).decode()
    browser.call("Fetch.fulfillRequest", requestId=paused[-1]["params"]["requestId"], responseCode=200, body=body,
                 responseHeaders=[{"name": "Content-Type", "value": "text/event-stream"}])
    last = "[...document.querySelectorAll('.{}')].at(-1).textContent"
    check("a reply that is HTML is shown as text", browser.wait(f"{last.format('assistant')} == {json.dumps(HOSTILE)}"))
    check("so is a message", browser.value(last.format("user")) == HOSTILE)
    check("nothing of it runs", browser.value("hurt") == 0 and browser.value("document.querySelectorAll('#log *:not(div)').length") == 0)
    browser.call("Fetch.disable")


def use_key(browser, server):
    browser.call("Page.navigate", url=server.url.removesuffix("/v1") + "/")
    check("the page asks for the key", browser.wait("document.getElementById('keyLabel')?.hidden === false && sizes.length == 0"))
    browser.value("document.getElementById('key').focus()")
    browser.call("Input.insertText", text="a-key-of-mine")
    browser.press("Tab", 9)
    check("with it the sizes come", browser.wait("sizes.length > 1"))
    text, _ = browser.send("what is 12 + 7?")
    check("and a message is answered", text and "19" in text, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", type=pathlib.Path, help="write what the page looks like to a PNG file")
    options = parser.parse_args()
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        print(f"page_peer: skipped, there is no Chromium; install {NAMES[0]} to have the page used")
        return 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        with Browser(program, directory) as browser:
            with Server() as server:
                use(browser, server, options.picture)
                show_hostile(browser)
            keys = pathlib.Path(directory) / "keys"
            keys.write_text("a-key-of-mine\n")
            with Server("--key-file", keys) as server:
                use_key(browser, server)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
