// Issues a card and loads 50 yuan onto it, as a wallet does, and hears of it by a signed webhook.
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { createSigner, httpbis } from "http-message-signatures";
import { Webhook } from "standardwebhooks";

const { CENTRE = "http://127.0.0.1:8080", CARD = "tcp:127.0.0.1:9001", WALLET = "wechat-pay", YIKATONG = "yikatong" } = process.env;
const run = randomBytes(6).toString("hex");
const yikatong = async (...words: string[]) => (await promisify(execFile)(YIKATONG, words)).stdout.trim();
const key = createSigner(await yikatong("keys", "demo", "--signer", WALLET), "ed25519", WALLET);

async function call(method: string, path: string, body?: object): Promise<any> {
  const text = body ? JSON.stringify(body) : "";
  const digest = createHash("sha256").update(text).digest("base64");
  const headers = { "content-type": "application/json", "content-digest": `sha-256=:${digest}:` };
  const signed = await httpbis.signMessage({
    key,
    fields: ["@method", "@path", "@query", "content-digest"],
    params: ["created", "keyid", "nonce", "alg"],
    paramValues: { nonce: randomBytes(16).toString("hex") },
  }, { method, url: CENTRE + path, headers });
  const answer = await fetch(CENTRE + path, { method, headers: signed.headers as Record<string, string>, body: text || undefined });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

let secret = "";
const heard: string[] = [];
const server = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const event: any = new Webhook(secret).verify(body, request.headers as Record<string, string>); // throws if it is not the centre's
  heard.push(`${event.type} ${event.data.id}`);
  response.writeHead(204).end();
}).listen(0, "127.0.0.1");
await new Promise((ready) => server.once("listening", ready));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
secret = (await call("PUT", `/v1/webhooks/${run}`, { url })).secret;

const phone = ["phone", "--centre", CENTRE, "--card", CARD];
const card = { id: run, user: "lin", city: "3150", phone: "oppo-find7", se_id: await yikatong(...phone, "identity") };
console.log("card", (await call("POST", "/v1/cards", card)).number);
const paid = { amount_fen: 5000, reference: `pay-${run}` };
for (const order of [{ id: `issue-${run}`, kind: "issue", card: run }, { id: `load-${run}`, kind: "load", card: run, amount_fen: 5000, paid }]) {
  await yikatong(...phone, "session", (await call("POST", "/v1/orders", order)).session.id);
}
console.log("balance", (await call("GET", `/v1/cards/${run}`)).balance_fen);
for (let tries = 0; !heard.includes(`order.done load-${run}`); tries++) {
  if (tries > 300) throw new Error(`the load was not heard of: ${heard}`);
  await new Promise((later) => setTimeout(later, 100));
}
console.log("heard", heard.join(", "));
process.exit(0);
