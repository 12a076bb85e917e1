// What both parts need: bytes, hashes, canonical JSON (docs/ledger-format.md, section 1), Ed25519.
import { createHash, createPublicKey, verify } from "node:crypto";

export class Broken extends Error {}
export const need = (held, said) => {
  if (!held) throw new Broken(said);
};
export const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
export const hex = (bytes) => bytes.toString("hex");
export const own = (value, name) => Object.prototype.hasOwnProperty.call(value, name);
export const same = (one, other) => canonical(one ?? null) === canonical(other ?? null);

export function unhex(text) {
  need(/^([0-9a-f]{2})*$/.test(text), "not hex");
  return Buffer.from(text, "hex");
}

/** `kind` is base64 or base64url (without padding). */
export function decode64(text, kind) {
  const bytes = Buffer.from(text, kind);
  need(bytes.toString(kind) === text, `not ${kind}`);
  return bytes;
}

/** Keys are ASCII and numbers whole, so that JSON.parse loses nothing and sorting is plain. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  }
  if (typeof value === "number") need(Number.isSafeInteger(value), "a number that is no whole one");
  return JSON.stringify(value);
}

export function parse(text) {
  const value = JSON.parse(text);
  need(canonical(value) === text && text.isWellFormed(), "not canonical");
  return value;
}

export function members(value, ...names) {
  need(same(Object.keys(value).sort(), names.sort()), `other members than ${names}`);
}

export function seconds(instant) {
  need(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(instant), "not an instant");
  return Date.parse(`${instant.slice(0, 23)}Z`) / 1000;
}

const SPKI = Buffer.from("302a300506032b6570032100", "hex");

/** Ed25519 by a key of 32 raw bytes. */
export function signed(raw, signature, message) {
  const key = createPublicKey({ key: Buffer.concat([SPKI, raw]), format: "der", type: "spki" });
  return signature.length === 64 && verify(null, message, key, signature);
}
