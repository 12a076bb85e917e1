// Section 10 of docs/ledger-format.md: approval signatures, the founder's own proofs in them, and where they stand.
import { createPublicKey, verify } from "node:crypto";
import { canonical, decode64, hex, need, same, seconds, sha256, signed, unhex } from "./bytes.mjs";

const MUST = "tool.intended tool.done tool.failed tool.repeated role.hired role.amended mandate.granted quorum.set rule.made".split(" ");
const CONTRACTS = { hire: "role.hired", amend: "role.amended", budget_raise: "budget.raised" };
const ONCE = { start: "run.", party: "party.", tool_server: "server.", unknown_outcome: "tool.", tool_call: "tool." };
const VOTES = ["approval.decided", "approval.voted"];
const SKEW = 300;
const person = (actor) => actor.slice(actor.indexOf(":") + 1);
const digest = (value) => hex(sha256(canonical(value)));

export class Approvals {
  constructor({ tenant, jwks, from_seq }) {
    this.tenant = tenant;
    this.whole = from_seq === 1;
    this.jwks = new Map(jwks.filter(({ purpose }) => purpose === "approval").map(({ kid, x }) => [kid, decode64(x, "base64url")]));
    this.waiting = [];
    for (const name of ["keys", "votes", "quorums", "agreed", "nonces", "rules", "mandates"]) this[name] = new Map();
    for (const name of ["voided", "frozen", "contracts", "used", "revoked", "foundersOnly", "left"]) this[name] = new Set();
    this.lines = [];
  }

  take(event) {
    this.waiting.push(event);
  }

  /** Between two checkpoints the order is that of `n`. */
  settle() {
    for (const event of this.waiting.sort((one, other) => (BigInt(one.n) < BigInt(other.n) ? -1 : 1))) this.judge(event);
    this.waiting = [];
  }

  judge(event) {
    const { type, data, approval, actor } = event.body;
    this.learn(type, data, person(actor));
    if (type === "approval.raised") this.raised(event.body);
    if (approval === null) return need(!MUST.includes(type) && !VOTES.includes(type), `${type} without a signature`);
    const claims = this.claims(approval);
    if (VOTES.includes(type)) return this.vote(event, claims);
    const vote = this.votes.get(claims.jti);
    if (vote === undefined) return need(!this.whole, "a signature of no recorded decision");
    need(vote.final && !this.voided.has(claims.jti), "a signature that is not final, or void");
    this.use(event, claims);
  }

  learn(type, data, who) {
    const key = (name, raw, from) => this.keys.set(name, { who, raw, from });
    if (type === "founder.device_key_added") key(data.kid, unhex(data.public_key), 0);
    if (type === "founder.passkey_added") key(data.credential_id, decode64(data.public_key, "base64url"), Date.parse(data.usable_from) / 1000);
    if (type === "founder.device_key_removed") this.keys.delete(data.kid);
    if (type === "founder.passkey_removed") this.keys.delete(data.credential_id);
    if (type === "approval.frozen") data.approval_ids.forEach((id) => this.frozen.add(id));
    if (type === "approval.thawed") data.approval_ids.forEach((id) => this.frozen.delete(id));
    if (type === "rule.revoked") this.revoked.add(data.rule_id);
    if (type === "mandate.ended") {
      this.mandates.delete(data.mandate_id);
      this.left.add(data.person);
    }
    if (type !== "approval.undone") return;
    for (const [jti, vote] of this.votes) if (vote.approval === data.approval_id) this.voided.add(jti);
    this.agreed.delete(data.approval_id);
  }

  raised({ data, evidence }) {
    this.quorums.set(data.approval_id, data.quorum ?? 1);
    if (this.lines.length > 0) this.meet(data);
    const shown = evidence.filter((ref) => ref.subject === undefined);
    need(shown.every((ref) => ref.sha256 === data.payload_digest), "another payload than would be signed");
  }

  /** The company's quorum: as many people as its lines want, one fewer where one who counts had raised the question. */
  meet({ approval_id, kind, quorum, raised_by, ...asked }) {
    const covering = kind === "unknown_outcome" ? [] : this.lines.filter((line) => covers(line, asked));
    const founders = covering.some((line) => line.founders);
    const wanted = Math.max(1, ...covering.map((line) => line.count));
    const there = 1 + [...this.mandates.values()].filter(({ rol }) => rol === "founder").length;
    const count = ["quorum", "mandate"].includes(kind) ? Math.min(wanted, there) : wanted;
    const counts = founders ? /^founder:/ : /^(founder|deputy):/;
    need(quorum >= Math.max(1, counts.test(raised_by) ? count - 1 : count), "asked of fewer than the company's quorum wants");
    if (founders) this.foundersOnly.add(approval_id);
  }

  claims(token) {
    const [head, payload, signature] = token.split(".");
    const header = JSON.parse(decode64(head, "base64url"));
    const claims = JSON.parse(decode64(payload, "base64url"));
    need(header.alg === "EdDSA" && header.typ === "approval+jwt" && this.jwks.has(header.kid), "no approval JWT");
    const held = signed(this.jwks.get(header.kid), decode64(signature, "base64url"), Buffer.from(`${head}.${payload}`));
    need(held && claims.tid === this.tenant, "the approval JWT does not hold");
    return claims;
  }

  vote({ at, body }, claims) {
    const { data } = body;
    const one = [claims.approval, claims.payload_digest, claims.act_digest, claims.kind, claims.decision, claims.role_version];
    const other = [data.approval_id, data.payload_digest, data.act_digest, data.kind, data.decision, data.role_version];
    need(same(one, other) && same([claims.proof.method, claims.run_id, claims.step, claims.sub], [data.method, body.run_id, body.step, body.actor]), "another decision than was signed");
    need(!this.votes.has(claims.jti), "a signature twice");
    need(Math.abs(claims.iat - seconds(at)) <= SKEW, "decided at another time than recorded");
    need(claims.iat <= claims.exp || this.frozen.has(claims.approval) || !this.whole, "decided after its time");
    const yes = claims.decision === "approve";
    if (claims.proof.method === "session") need(!(yes && data.tier === "R2"), "R2 without a founder's own key");
    else this.proof(claims, claims.proof);
    if (body.actor.startsWith("deputy:")) this.deputy(claims, data);
    need(!this.left.has(person(body.actor)), "decided by somebody whose mandate was ended");
    const final = body.type === "approval.decided";
    this.votes.set(claims.jti, { approval: claims.approval, final });
    if (!yes) return;
    need(body.actor.startsWith("founder:") || !this.foundersOnly.has(claims.approval), "a deputy's yes where founders are wanted");
    this.agree(claims, data, final);
  }

  agree({ approval, sub }, data, final) {
    const agreed = this.agreed.get(approval) ?? new Set();
    this.agreed.set(approval, agreed.add(person(sub)));
    need(!final || agreed.size >= (this.quorums.get(approval) ?? data.quorum ?? 1) || !this.whole, "too few have agreed");
  }

  deputy(claims, { kind, tier, role_id, money }) {
    const terms = this.mandates.get(claims.mandate);
    if (terms === undefined) return need(!this.whole && claims.mandate !== null, "a mandate that is not in force");
    need(terms.person === person(claims.sub) && terms.rol === "deputy" && claims.iat < Date.parse(terms.ends_at) / 1000, "another's mandate, or over");
    const cap = terms.cap;
    const affords = money === null || money.minor === "0" || (cap !== null && cap.currency === money.currency && BigInt(money.minor) <= BigInt(cap.minor));
    const inside = terms.tiers.includes(tier) && terms.kinds.includes(kind) && (terms.roles.length === 0 || terms.roles.includes(role_id));
    need(claims.decision === "reject" || (inside && affords), "beyond the mandate");
  }

  proof(claims, proof) {
    const { statement } = proof;
    const list = statement.typ === "flr.decisions.v1";
    need(list || statement.typ === "flr.decision.v1", "the founder signed no decision");
    const named = (list ? statement.items : [statement]).filter((item) => item.approval === claims.approval);
    const mine = named.length === 1 && same([named[0].decision, named[0].payload_digest], [claims.decision, claims.payload_digest]);
    need(mine, "the founder signed something else");
    const challenge = sha256(statement.typ, "\x00", canonical(statement));
    const known = this.nonces.get(statement.nonce) ?? { challenge: hex(challenge), approvals: new Set() };
    const again = known.approvals.size > 0 && (!list || known.challenge !== hex(challenge) || known.approvals.has(claims.approval));
    need(!again, "a statement used before");
    known.approvals.add(claims.approval);
    this.nonces.set(statement.nonce, known);
    const raw = decode64(proof.public_key, "base64url");
    const held = proof.method === "device_key" ? signed(raw, decode64(proof.signature, "base64url"), challenge) : assertion(raw, proof, challenge);
    need(held, "not signed by the founder's key");
    const key = this.keys.get(proof.method === "device_key" ? proof.kid : proof.credential_id);
    if (key === undefined) return need(!this.whole, "a key that the ledger did not make known");
    need(key.who === person(claims.sub) && key.raw.equals(raw) && key.from <= claims.iat + SKEW, "another founder's key");
  }

  use(event, claims) {
    const { type, data, run_id, step } = event.body;
    const yes = claims.decision === "approve";
    const contract = same([data.role_id, data.role_version, data.policy], [claims.role_id, claims.role_version, claims.policy]);
    const written = (terms) => digest(terms) === data.terms_digest && same([data.approval_id, data.terms_digest], [claims.approval, claims.policy]);
    if (claims.kind in CONTRACTS) {
      if (type !== CONTRACTS[claims.kind]) return need(yes && /^(tool|model)\./.test(type) && contract && (this.contracts.has(claims.jti) || !this.whole), "done under another contract");
      need(yes && same([data.approval_id, data.role_id, data.version, data.terms_digest], [claims.approval, claims.role_id, claims.role_version, claims.policy]), "another contract than was signed");
      this.contracts.add(claims.jti);
      return this.once(claims, "contract");
    }
    if (claims.kind === "mandate") {
      need(type === "mandate.granted" && yes && claims.sub.startsWith("founder:") && written(data.mandate), "a mandate that no founder signed");
      for (const [id, terms] of this.mandates) if (terms.person === data.mandate.person) this.mandates.delete(id);
      this.mandates.set(data.mandate_id, data.mandate);
      this.left.delete(data.mandate.person);
      return this.once(claims, "mandate");
    }
    if (claims.kind === "quorum") {
      need(type === "quorum.set" && yes && claims.sub.startsWith("founder:") && written(data.quorum), "a quorum that no founder signed");
      this.lines = data.quorum.lines;
      return this.once(claims, "quorum");
    }
    if (claims.kind === "rule") return this.rule(event, claims, written);
    need(type.startsWith(ONCE[claims.kind] ?? "\x00"), `${type} under another kind of approval`);
    if (claims.kind === "tool_call") need(data.act_digest === claims.act_digest, "other arguments than were approved");
    if (type === "tool.rejected") return need(!yes, "rejected under a yes");
    const no = (claims.kind === "start" && type === "run.closed") || (claims.kind === "unknown_outcome" && type === "tool.failed");
    need(yes !== no, `${type} under a decision to ${claims.decision}`);
    need(same([run_id, step], [claims.run_id, claims.step]) && (claims.kind !== "tool_call" || contract), "another step, or contract");
    if (claims.kind === "unknown_outcome") need(claims.act_digest === digest(["unknown_outcome", run_id, step]), "another question");
    if (type === "tool.intended") this.once(claims, "intent");
    else if (["tool.done", "tool.failed"].includes(type) || !["tool_call", "unknown_outcome"].includes(claims.kind)) this.once(claims, "outcome");
  }

  rule({ at, body }, claims, written) {
    const { type, data, run_id, step } = body;
    need(claims.decision === "approve" && claims.sub.startsWith("founder:"), "a rule that no founder signed");
    if (type === "rule.made") {
      need(written(data.rule) && data.rule.role_id === claims.role_id, "another rule than was signed");
      this.rules.set(claims.jti, { id: data.rule_id, terms: data.rule, calls: new Set() });
      return this.once(claims, "rule");
    }
    const rule = this.rules.get(claims.jti);
    if (rule === undefined) return need(!this.whole, "a rule that is not in force");
    const { role_id, tool, schema_hash, until, uses } = rule.terms;
    need(type.startsWith("tool.") && same([data.role_id, data.tool, data.schema_hash], [role_id, tool, schema_hash]), "a rule for something else");
    const call = `${run_id} ${step}`;
    if (rule.calls.has(call)) return undefined;
    need(!this.revoked.has(rule.id) && seconds(at) < Date.parse(until) / 1000, "a rule that was over");
    return need(rule.calls.add(call).size <= uses, "a rule used too often");
  }

  once({ jti }, what) {
    const mark = `${jti} ${what}`;
    need(!this.used.has(mark), "an approval used before");
    this.used.add(mark);
  }
}

function covers({ tier, above }, asked) {
  if (tier !== asked.tier || above === null) return tier === asked.tier;
  const { money } = asked;
  return money !== null && (money.currency !== above.currency || BigInt(money.minor) > BigInt(above.minor));
}

/** WebAuthn by a P-256 key: a COSE_Key as browsers write it, `{1: 2, 3: -7, -1: 1, -2: x, -3: y}`, and a DER signature. */
function assertion(cose, proof, challenge) {
  const [data, client] = [decode64(proof.authenticator_data, "base64url"), decode64(proof.client_data_json, "base64url")];
  const said = JSON.parse(client);
  const host = new URL(said.origin).hostname;
  need(said.type === "webauthn.get" && said.challenge === challenge.toString("base64url"), "an assertion of something else");
  need(host === proof.rp_id || host.endsWith(`.${proof.rp_id}`), "an assertion for another site");
  need(data.subarray(0, 32).equals(sha256(proof.rp_id)) && (data[32] & 5) === 5, "the founder was not verified");
  const coordinate = (label) => {
    const place = cose.indexOf(Buffer.from([label, 0x58, 0x20]));
    need(place > 0, "a passkey of another kind than P-256");
    return cose.subarray(place + 3, place + 35).toString("base64url");
  };
  const jwk = { kty: "EC", crv: "P-256", x: coordinate(0x21), y: coordinate(0x22) };
  const message = Buffer.concat([data, sha256(client)]);
  return verify("sha256", message, createPublicKey({ key: jwk, format: "jwk" }), decode64(proof.signature, "base64url"));
}
