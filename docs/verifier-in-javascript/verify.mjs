// Verifies a plain export (NDJSON) of a ledger, written from docs/ledger-format.md alone. Node 20, no packages.
//   node verify.mjs EXPORT PUBLIC_KEY_HEX
// Prints counts and exits with 0, or the first broken place and exits with 1.
import { readFileSync } from "node:fs";
import { Approvals } from "./approvals.mjs";
import { Broken, decode64, hex, members, need, own, parse, same, seconds, sha256, signed, unhex } from "./bytes.mjs";

const HEADER = "format v kind tenant ticket created_at from_seq to_seq head frontier changes evidence jwks".split(" ");
const CLAIMS = "event_id leaf max_merge_delay_seconds recorded_at tenant xid".split(" ");
const DOCUMENT = "at body effect id n subjects tenant v xid".split(" ");
const BODY = "actor approval data evidence occurred_at run_id step ticket_id type".split(" ");

function int64(number) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(number));
  return bytes;
}

/** Section 4: the tree of RFC 6962, as the roots of its full subtrees, largest first. */
class Tree {
  constructor(size, frontier) {
    this.size = size;
    this.roots = frontier;
  }

  add(leaf) {
    let node = leaf;
    for (let size = this.size; size % 2 === 1; size = (size - 1) / 2) node = sha256("\x01", this.roots.pop(), node);
    this.roots.push(node);
    this.size += 1;
  }

  root() {
    return this.roots.slice(0, -1).reduceRight((right, left) => sha256("\x01", left, right), this.roots.at(-1));
  }
}

class Verifier {
  constructor(publicKey) {
    this.key = publicKey;
    this.counts = { event: 0, checkpoint: 0, change: 0, receipt: 0 };
    this.ids = new Set();
    this.changes = [];
    this.unlinked = [];
    this.rows = new Map();
    this.evidence = new Map();
    this.erased = new Set();
    this.parts = null;
    this.behind = null;
    this.serial = null;
    this.latest = 0;
    this.notBefore = 0;
  }

  file(content) {
    need(content.at(-1) === 10, "truncated: the last line is not whole");
    const lines = content.toString("utf8").slice(0, -1).split("\n");
    need(Buffer.from(`${lines.join("\n")}\n`).equals(content), "not UTF-8");
    lines.forEach((line, index) => {
      this.line = index + 1;
      need(!this.ended, "something follows the end");
      const parsed = parse(line);
      const kind = Object.keys(parsed).find((name) => typeof this[`take_${name}`] === "function");
      need(kind !== undefined && (index === 0) === (kind === "export"), "not a line of an export");
      if (kind === "end") this.sums(lines.slice(0, index), parsed.end);
      this.counts[kind] = (this.counts[kind] ?? 0) + 1;
      this[`take_${kind}`](parsed[kind], parsed, line);
      if (kind !== "event") this.behind = null;
    });
    need(this.ended, "truncated: there is no end");
    this.close();
    const { event, checkpoint, change, receipt } = this.counts;
    return { events: event, checkpoints: checkpoint, changes: change, receipts: receipt, decisions: this.approvals.votes.size };
  }

  sums(before, end) {
    need(end.lines === before.length && end.sha256 === hex(sha256(`${before.join("\n")}\n`)), "the end states other lines");
  }

  // Section 11
  take_export(header) {
    members(header, ...HEADER, ...(own(header, "receipts") ? ["receipts"] : []));
    need(header.format === "5-layer-runtime/export" && header.v === "1" && header.kind === "range", "another format");
    this.header = header;
    this.head = unhex(header.head);
    this.seq = header.from_seq - 1;
    this.whole = this.seq === 0;
    if (this.whole) need(this.head.equals(sha256(unhex(header.tenant.replaceAll("-", "")))), "the chain begins elsewhere");
    this.tree = new Tree(this.seq, (header.frontier.match(/.{64}/g) ?? []).map(unhex));
    this.approvals = new Approvals(header);
    const keys = header.jwks.filter(({ purpose }) => purpose === "receipt");
    this.receiptKeys = new Map(keys.map(({ kid, x }) => [kid, decode64(x, "base64url")]));
  }

  // Sections 1 to 3
  take_event(event, parsed, line) {
    members(parsed, "event", "hash", "seq");
    members(event, ...DOCUMENT);
    members(event.body, ...BODY);
    const leaf = sha256("\x00", line.slice('{"event":'.length, line.lastIndexOf(',"hash":"')));
    this.link(leaf, parsed);
    need(this.seq <= this.header.to_seq, "beyond the range");
    need(event.tenant === this.header.tenant && event.v === "1", "another tenant's");
    need(!this.ids.has(event.id), "the event stands twice");
    this.ids.add(event.id);
    need(seconds(event.at) >= this.notBefore, "backdated");
    this.latest = Math.max(this.latest, seconds(event.at));
    if (this.header.changes) this.effect(event);
    if (event.body.type === "subject.erased") this.erased.add(event.body.data.subject);
    for (const ref of event.body.evidence) this.named(ref);
    this.approvals.take(event);
    this.behind = { event, leaf };
  }

  // Section 6
  take_receipt(said) {
    members(said, "jws");
    need(this.header.receipts && this.behind !== null, "a receipt stands directly behind its event");
    const parts = said.jws.split(".");
    need(parts.length === 3, "no JWS");
    const [head, body, signature] = parts;
    const { alg, kid, typ } = JSON.parse(decode64(head, "base64url"));
    need(alg === "EdDSA" && typ === "receipt+jws" && this.receiptKeys.has(kid), "a receipt by an unknown key");
    const held = signed(this.receiptKeys.get(kid), decode64(signature, "base64url"), Buffer.from(`${head}.${body}`));
    need(held, "the receipt's signature does not hold");
    const claims = parse(decode64(body, "base64url").toString("utf8"));
    members(claims, ...CLAIMS);
    const { id, tenant, at, xid } = this.behind.event;
    const promised = [claims.event_id, claims.tenant, claims.leaf, claims.recorded_at, claims.xid];
    need(same(promised, [id, tenant, hex(this.behind.leaf), at, xid]), "the receipt is of another event");
  }

  link(leaf, said) {
    this.seq += 1;
    this.head = sha256(this.head, int64(this.seq), leaf);
    this.tree.add(leaf);
    need(said.seq === this.seq && said.hash === hex(this.head), `the chain breaks at ${this.seq}`);
  }

  /** Beyond the range, as far as the next checkpoint: `{"hash","leaf","seq"}`. */
  take_hash(_, parsed) {
    members(parsed, "hash", "leaf", "seq");
    need(this.seq >= this.header.to_seq, "a bare leaf inside of the range");
    this.link(unhex(parsed.leaf), parsed);
  }

  // Sections 4 and 8
  take_checkpoint(said) {
    members(said, "note", "serial");
    const cut = said.note.indexOf("\n\n") + 1;
    const text = said.note.slice(0, cut);
    const [origin, size, root, chain, time, rest] = text.split("\n");
    need(rest === "" && origin === `5-layer-runtime/ledger/${this.header.tenant}`, "a note of another log");
    this.signatures(text, origin, said.note.slice(cut + 1));
    need(size === String(this.seq) && chain === `chain ${hex(this.head)}`, "the checkpoint differs from the chain");
    need(decode64(root, "base64").equals(this.tree.root()), "the checkpoint differs from the tree");
    const next = this.serial === null ? !this.whole || said.serial === 1 : said.serial === this.serial + 1;
    need(next, "a checkpoint is missing");
    const signedAt = seconds(time.replace(/^time /, ""));
    need(this.latest <= signedAt + 300, "an event is stamped after its checkpoint");
    Object.assign(this, { serial: said.serial, covered: this.seq, latest: 0, notBefore: signedAt - 3600 });
    this.link_rows();
    this.approvals.settle();
  }

  /** Lines of keys that are not known are ignored; ours is there and holds. */
  signatures(text, origin, lines) {
    const mark = sha256(origin, "\n", "\x01", this.key).subarray(0, 4);
    need(lines.endsWith("\n"), "a signature line is not whole");
    const blobs = lines.slice(0, -1).split("\n").map((line) => line.match(/^\u2014 (\S+) (\S+)$/));
    need(blobs.every(Boolean), "a signature line of another form");
    const mine = blobs.map((found) => decode64(found[2], "base64")).filter((blob) => blob.subarray(0, 4).equals(mark));
    const held = mine.every((blob) => signed(this.key, blob.subarray(4), Buffer.from(text)));
    need(mine.length > 0 && held, "not signed by the given key");
  }

  take_attestation(said) {
    members(said, "content", "kind", "name", "serial");
    need(said.serial === this.serial, "an attestation stands behind its checkpoint");
  }

  // Section 5
  take_change(change) {
    members(change, "image", "key", "n", "new", "old", "op", "table", "xid");
    const made = (change.new === null) === (change.op === "D") && (change.old === null) === (change.op === "I");
    need("IUD".includes(change.op) && made, "no change that a row can make");
    if (change.image !== null) need(hex(sha256(change.image)) === change.new, "an image is not the one that was hashed");
    this.changes.push(change);
    this.unlinked.push(change);
  }

  /** Each row's own chain, by number between two checkpoints. */
  link_rows() {
    for (const change of this.unlinked.sort((one, other) => (BigInt(one.n) < BigInt(other.n) ? -1 : 1))) {
      const row = `${change.table}/${change.key}`;
      if (this.whole || this.rows.has(row)) need((this.rows.get(row) ?? null) === change.old, "another row was changed");
      this.rows.set(row, change.new);
    }
    this.unlinked = [];
  }

  effect(event) {
    const taken = ({ table, key, n }) =>
      BigInt(n) < BigInt(event.n) && event.subjects.some((name) => name === table || name === `${table}/${key}`);
    need(this.changes.every((change) => change.xid === event.xid), "a change without an event");
    const digests = this.changes.filter(taken).map((change) => {
      const { table, key, op } = change;
      return sha256(["change/v1", this.header.tenant, table, key, op, change.old ?? "-", change.new ?? "-"].join("\n"));
    });
    need(same(event.effect, { digest: hex(sha256(...digests)), n: String(digests.length) }), "the effect differs");
    this.changes = this.changes.filter((change) => !taken(change));
  }

  // Sections 1 and 9.4
  named(ref) {
    members(ref, "key", "media_type", "name", "sha256", "size_bytes", ...(own(ref, "subject") ? ["subject"] : []));
    need(ref.key === `sha256/${ref.sha256.slice(0, 2)}/${ref.sha256}`, "an evidence key");
    if (!this.evidence.has(ref.sha256)) this.evidence.set(ref.sha256, { ref });
  }

  take_evidence(said) {
    const known = this.evidence.get(said.sha256);
    need(known !== undefined && this.header.evidence, "evidence that no event names");
    if (own(said, "missing")) {
      members(said, "missing", "sha256");
      known.missing = said.missing;
      return;
    }
    members(said, "content", "last", "part", "sha256");
    this.parts ??= { sha256: said.sha256, blocks: [] };
    need(this.parts.sha256 === said.sha256 && this.parts.blocks.length === said.part, "parts do not follow each other");
    this.parts.blocks.push(decode64(said.content, "base64"));
    if (!said.last) return;
    const bytes = Buffer.concat(this.parts.blocks);
    need(hex(sha256(bytes)) === said.sha256 && bytes.length === known.ref.size_bytes, "not what the event names");
    known.held = true;
    this.parts = null;
  }

  take_end(end) {
    need(end.seq === this.seq && end.head === hex(this.head), "the end states another chain");
    this.ended = true;
  }

  close() {
    this.link_rows();
    this.approvals.settle();
    need(this.seq >= this.header.to_seq && this.covered === this.seq, "the last events are covered by no checkpoint");
    need(this.changes.length === 0, "a change without an event");
    need(this.parts === null, "evidence ends in the middle");
    for (const { ref, held, missing } of this.header.evidence ? this.evidence.values() : []) {
      const erased = missing === "erased" && own(ref, "subject") && this.erased.has(ref.subject);
      need(held || erased, `evidence is missing: ${ref.key}`);
    }
  }
}

const verifier = new Verifier(unhex(process.argv[3] ?? ""));
try {
  console.log(JSON.stringify(verifier.file(readFileSync(process.argv[2]))));
} catch (error) {
  if (!(error instanceof Broken || error instanceof TypeError || error instanceof SyntaxError)) throw error;
  console.log(`BROKEN: line ${verifier.line}: ${error.message}`);
  process.exitCode = 1;
}
