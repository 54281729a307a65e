#!/usr/bin/env python3
"""A receiver of openmic's webhooks in plain Python 3: it checks the signature, refuses, and handles each delivery once.

    OPENMIC_HOOK_SECRET=$(cat hook.secret) python3 receiver.py 9000

Put it behind the HTTPS server that you have, or allow its network in [outbound].
"""

import hashlib
import hmac
import json
import os
import sys
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["OPENMIC_HOOK_SECRET"].encode()
# Old calls are refused, so that nobody who has seen one can send it again.
CLOCK_SKEW_MAX_S = 300
BODY_BYTES_MAX = 64 * 1024
# A real receiver keeps these where they outlive it, beside what it does with the event.
SEEN_MAX = 10_000
seen = OrderedDict()


def is_signed(header, body):
    """Whether one of the signatures in `openmic-signature: t=...,v1=...` is ours, and fresh."""
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not times[0].isdigit() or abs(time.time() - int(times[0])) > CLOCK_SKEW_MAX_S:
        return False
    expected = hmac.new(SECRET, times[0].encode() + b"." + body, hashlib.sha256).hexdigest().encode()
    signatures = [value.encode() for name, _, value in parts if name == "v1"]
    return any(hmac.compare_digest(expected, signature) for signature in signatures)


def decide(event):
    """Who may publish and watch: the one place to change. `None` allows; a text refuses, and is shown."""
    if event["event"] == "publish" and event["stream"].startswith("blocked"):
        return "this stream is blocked"
    return None


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if length > BODY_BYTES_MAX:
            return self.answer(413, {"reason": "the body is too long"})
        body = self.rfile.read(length)
        if not is_signed(self.headers.get("openmic-signature", ""), body):
            return self.answer(401, {"reason": "the signature is not ours"})
        event = json.loads(body)
        if event["id"] not in seen:
            seen[event["id"]] = True
            while len(seen) > SEEN_MAX:
                seen.popitem(last=False)
            print(event["event"], event["path"], event.get("protocol", "-"), flush=True)
        reason = decide(event)
        return self.answer(200, {}) if reason is None else self.answer(403, {"reason": reason})

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """Events are printed by do_POST; nothing else is worth a line."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9000), Receiver)
    print("listening on", server.server_address[1], flush=True)
    server.serve_forever()
