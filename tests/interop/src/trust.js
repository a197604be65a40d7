// Keys, signatures, certificates, attestations (protocol.md, 1, 2, 6 and 8).
import * as crypto from 'node:crypto';
import { decode, encode } from './cbor.js';

export const PURPOSE = {
  serverKeys: 1, certificate: 2, envelope: 3, receipt: 4, pack: 5, invitation: 6, enrolment: 7,
  sessionClient: 8, sessionServer: 9, directory: 10, joinCode: 14, checkpoint: 15,
};
export const SERVER_KEY = { certificates: 0, receipts: 1, packs: 2 };

export const sha256 = (...parts) => crypto.createHash('sha256').update(Buffer.concat(parts)).digest();
export const hmac = (key, ...parts) =>
  crypto.createHmac('sha256', key).update(Buffer.concat(parts)).digest();
export const deviceId = (publicKey) => sha256(publicKey).subarray(0, 16);
export const authorityOf = (rootKey) => sha256(rootKey);

/// Numbers of 8 and 4 bytes, big-endian.
export function u64(number) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(number));
  return bytes;
}
export const u32 = (number) => u64(number).subarray(4);

// Node takes raw keys in DER: these prefixes stand before the 32 bytes of a key (RFC 8410).
const OID = { ed25519: '06032b6570', x25519: '06032b656e' };
const der = (type, prefix, bytes) =>
  ({ key: Buffer.concat([Buffer.from(prefix, 'hex'), bytes]), format: 'der', type });
const privateKey = (curve, seed) =>
  crypto.createPrivateKey(der('pkcs8', `302e0201003005${OID[curve]}04220420`, seed));
const publicKey = (curve, bytes) =>
  crypto.createPublicKey(der('spki', `302a3005${OID[curve]}032100`, bytes));

/// A key pair of a seed of 32 bytes: `{ seed, public }`.
export function keyOf(curve, seed = crypto.randomBytes(32)) {
  const spki = crypto.createPublicKey(privateKey(curve, seed)).export({ format: 'der', type: 'spki' });
  return { seed, public: spki.subarray(-32) };
}

/// The X25519 secret; Node refuses a key that contributes nothing.
export const agree = (seed, theirs) =>
  crypto.diffieHellman({ privateKey: privateKey('x25519', seed), publicKey: publicKey('x25519', theirs) });

const signed = (purpose, authority, bytes) =>
  Buffer.concat([Buffer.from('OneGrid'), Buffer.of(purpose), authority, bytes]);

export const sign = (seed, purpose, authority, bytes) =>
  crypto.sign(null, signed(purpose, authority, bytes), privateKey('ed25519', seed));

export const isGood = (key, purpose, authority, bytes, signature) =>
  crypto.verify(null, signed(purpose, authority, bytes), publicKey('ed25519', key), signature);

export function verify(...claim) {
  if (!isGood(...claim)) throw new Error('trust.bad_signature');
}

/// The root key and the list of server keys that it signed.
export class Anchors {
  constructor(root, list) {
    const [number, keys, signature] = list;
    this.root = root;
    this.authority = authorityOf(root);
    this.number = number;
    verify(root, PURPOSE.serverKeys, this.authority, encode([number, keys]), signature);
    this.keys = keys.map(([key, kind, from, highest, until = null]) =>
      ({ id: deviceId(key), key, kind, from, highest, until }));
  }

  /// The keys of a kind that vouch for a statement of this time and generation, or without either.
  vouching(kind, { time, generation } = {}) {
    const covers = ({ from, until, highest }) =>
      time === undefined || (time >= from && (until === null || time <= until) && generation <= highest);
    return this.keys.filter((key) => key.kind === kind && covers(key));
  }

  verify(kind, signer, purpose, bytes, signature, stamp) {
    const found = this.vouching(kind, stamp).find(({ id }) => id.equals(signer));
    if (!found) throw new Error('trust.bad_key');
    verify(found.key, purpose, this.authority, bytes, signature);
  }

  /// Checks a certificate, which does not name its key, and gives its facts.
  certificate([facts, signature]) {
    const [version, device, key, member, grants, issued, expires, mark] = decode(facts);
    const keys = this.vouching(SERVER_KEY.certificates, { time: issued, generation: mark[0] });
    if (!keys.some((issuer) => isGood(issuer.key, PURPOSE.certificate, this.authority, facts, signature))) {
      throw new Error('trust.unknown_issuer');
    }
    if (version !== 1 || !deviceId(key).equals(device)) throw new Error('trust.bad_certificate');
    return { hash: sha256(facts), device, key, member, grants, issued, expires, mark };
  }

  /// Checks an attestation whose lines are `[hash, verdict, [[stream, position]]]`.
  attestation(signer, generation, time, lines, signature) {
    const bytes = encode([signer, generation, time, lines]);
    this.verify(SERVER_KEY.receipts, signer, PURPOSE.receipt, bytes, signature, { time, generation });
  }

  /// Checks a signed directory entry and gives `[code, fields]`.
  directoryEntry(bytes) {
    const [entry, signer, signature] = decode(bytes);
    this.verify(SERVER_KEY.receipts, signer, PURPOSE.directory, entry, signature);
    const [code, fields] = decode(entry);
    return [code, decode(fields)];
  }
}
