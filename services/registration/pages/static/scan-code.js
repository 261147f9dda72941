// Badge codes, as services/registration/domain/badges.py makes them.

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH = 12;
const SALT = "tradewind badge";
const ROUNDS = 4_000;
const DIGEST_BITS = 128;

function plain(text) {
  const letters = text.normalize("NFKC").toUpperCase().replaceAll("O", "0").replace(/[IL]/g, "1");
  return letters.replace(/[\s‐‑–—-]/g, "");
}

/** Whether a text was meant as a code, right or mistyped. */
export function looksLikeCode(text) {
  const code = plain(text);
  return code.length === LENGTH && [...code].every((character) => ALPHABET.includes(character));
}

/** Read a code as it was scanned or typed; null when it cannot be one. */
export function readCode(text) {
  if (!looksLikeCode(text)) return null;
  const code = plain(text);
  return checkCharacter(code.slice(0, -1)) === code.at(-1) ? code : null;
}

function checkCharacter(body) {
  let total = 0;
  for (const character of body) {
    total = (total ^ ALPHABET.indexOf(character)) << 1;
    if (total >= 32) total ^= 0b100101;
  }
  return ALPHABET[total];
}

/** Give what the roster has instead of a code; null where the browser may not (a page without https). */
export async function digest(code) {
  if (!globalThis.crypto?.subtle) return null;
  const bytes = new TextEncoder();
  const key = await crypto.subtle.importKey("raw", bytes.encode(code), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: bytes.encode(SALT), iterations: ROUNDS };
  const bits = new Uint8Array(await crypto.subtle.deriveBits(how, key, DIGEST_BITS));
  return [...bits].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Make a name for one scan that no other has. */
export function newNonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
