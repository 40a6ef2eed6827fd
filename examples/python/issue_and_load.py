"""Issues a card and loads 50 yuan onto it, as a wallet does, and hears of it by a signed webhook."""
import json, os, subprocess, threading, uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from urllib.request import Request, urlopen

from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms
from standardwebhooks import Webhook

CENTRE, CARD = os.environ["CENTRE"], os.environ["CARD"]  # http://127.0.0.1:8080, tcp:127.0.0.1:9001
WALLET, RUN = os.environ.get("WALLET", "wechat-pay"), uuid.uuid4().hex[:12]


def yikatong(*arguments):
    command = [os.environ.get("YIKATONG", "yikatong"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


keys = MappingKeyResolver(public_keys={}, private_keys={WALLET: yikatong("keys", "demo", "--signer", WALLET).encode()})
signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=keys)


def call(method, path, body=None):
    data = b"" if body is None else json.dumps(body).encode()
    message = SimpleNamespace(method=method, url=CENTRE + path, headers={"Content-Type": "application/json"})
    signer.sign(message, key_id=WALLET, nonce=uuid.uuid4().hex, body=data,
                covered_component_ids=("@method", "@path", "@query", "content-digest"))
    with urlopen(Request(message.url, data or None, message.headers, method=method)) as answer:
        return json.load(answer)


heard, done = [], threading.Event()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        event = Webhook(secret).verify(body, dict(self.headers.items()))  # raises if it is not the centre's
        heard.append((event["type"], event["data"]["id"]))
        self.send_response(204)
        self.end_headers()
        if heard[-1] == ("order.done", f"load-{RUN}"):
            done.set()


server = HTTPServer(("127.0.0.1", 0), Receiver)
secret = call("PUT", f"/v1/webhooks/{RUN}", {"url": f"http://127.0.0.1:{server.server_port}/"})["secret"]
threading.Thread(target=server.serve_forever, daemon=True).start()

phone = ("phone", "--centre", CENTRE, "--card", CARD)
card = {"id": RUN, "user": "lin", "city": "2000", "phone": "oppo-find7", "se_id": yikatong(*phone, "identity")}
print("card", call("POST", "/v1/cards", card)["number"])
for order in ({"id": f"issue-{RUN}", "kind": "issue", "card": RUN},
              {"id": f"load-{RUN}", "kind": "load", "card": RUN, "amount_fen": 5000,
               "paid": {"amount_fen": 5000, "reference": f"pay-{RUN}"}}):
    yikatong(*phone, "session", call("POST", "/v1/orders", order)["session"]["id"])
print("balance", call("GET", f"/v1/cards/{RUN}")["balance_fen"])
assert done.wait(30), f"the load was not heard of: {heard}"
print("heard", heard)
