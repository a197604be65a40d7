// Enrolment, handshake, and requests inside a session (protocol.md, 14).
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { decode, encode } from './cbor.js';
import { decodeFrame, encodeFrame } from './frame.js';
import {
  Anchors, PURPOSE, SERVER_KEY, agree, authorityOf, hmac, isGood, keyOf, sha256, sign, u64,
} from './trust.js';

const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const DIRECTION = { forth: 1, back: 2 };

/// Reads the text of an invitation's QR code.
export function readQr(text) {
  if (!text.startsWith('ONEGRID1:')) throw new Error('invitation.not_ours');
  const bitsOf = (symbol) => SYMBOLS.indexOf(symbol).toString(2).padStart(5, '0');
  const bits = [...text.slice(9)].map(bitsOf).join('');
  const bytes = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const payload = bytes.subarray(0, -2);
  if (!sha256(Buffer.from('onegrid.invitation.check'), payload).subarray(0, 2).equals(bytes.subarray(-2))) {
    throw new Error('invitation.typo');
  }
  const [secret, root, address] = decode(payload);
  return { secret, root, address };
}

/// Writes the text of an invitation's QR code.
export function writeQr({ secret, root, address }) {
  const payload = encode([secret, root, address]);
  const check = sha256(Buffer.from('onegrid.invitation.check'), payload).subarray(0, 2);
  const bits = [...payload, ...check].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const symbols = bits.match(/.{1,5}/g).map((five) => SYMBOLS[parseInt(five.padEnd(5, '0'), 2)]);
  return `ONEGRID1:${symbols.join('')}`;
}

/// Turns an invitation into an identity: key, certificate and anchors.
export async function enrol(invitation, deviceName) {
  const { secret, root, address } = invitation;
  const authority = authorityOf(root);
  const inviting = keyOf('ed25519', sha256(Buffer.from('onegrid.invitation'), secret));
  const id = sha256(Buffer.from('onegrid.invitation.id'), inviting.public).subarray(0, 16);
  const key = keyOf('ed25519');
  const asked = encode([1, id, key.public, deviceName]);
  const body = encode([
    asked,
    sign(inviting.seed, PURPOSE.invitation, authority, asked),
    sign(key.seed, PURPOSE.enrolment, authority, asked),
  ]);
  const [certificate, answeredRoot, serverKeys] = decode(await post(address, '/v1/enrol', body));
  if (!answeredRoot.equals(root)) throw new Error('enrolment.wrong_authority');
  const anchors = new Anchors(root, serverKeys);
  const facts = anchors.certificate(certificate);
  if (!facts.key.equals(key.public)) throw new Error('enrolment.bad_answer');
  return { address, key, certificate, facts, anchors };
}

async function post(address, path, body, headers = { 'content-type': 'application/cbor' }, check = () => {}) {
  const response = await fetch(address + path, { method: 'POST', headers, body });
  const answer = Buffer.from(await response.arrayBuffer());
  if (response.status !== 200) throw new Error(JSON.parse(answer).code);
  check(response.headers, answer);
  return answer;
}

const step = (hash, message) => sha256(hash, u64(message.length), message);

/// Returns the transcript after the server's hello (T2) or after the proof (T4).
export const transcript = (...messages) => messages.reduce(step, sha256(Buffer.from('onegrid.session.v1')));

export const channelKey = (ephemeral, theirs, t4) =>
  hmac(agree(ephemeral, theirs), Buffer.from('onegrid.channel.v1'), t4);

/// Returns the code of a message.
export function mac(key, direction, ...parts) {
  const lengthed = parts.flatMap((part) => [u64(part.length), part]);
  return hmac(key, Buffer.of(direction), ...lengthed).subarray(0, 16);
}

export const requestMac = (key, number, method, path, body) =>
  mac(key, DIRECTION.forth, Buffer.from('request'), u64(number), Buffer.from(method), Buffer.from(path), body);
export const answerMac = (key, request, body) =>
  mac(key, DIRECTION.back, Buffer.from('answer'), request, body);

/// Checks the server's hello; returns its parts.
export function readServerHello(anchors, hello, message) {
  const [said, signature, sealed] = decode(message);
  const [version, list, ephemeral] = decode(said);
  const shown = new Anchors(anchors.root, list);
  if (shown.number < anchors.number) throw new Error('session.older_keys');
  const t2 = transcript(hello, said);
  const inUse = shown.vouching(SERVER_KEY.receipts).filter(({ until }) => until === null);
  if (!inUse.some(({ key }) => isGood(key, PURPOSE.sessionServer, shown.authority, t2, signature))) {
    throw new Error('trust.bad_signature');
  }
  if (version !== 1) throw new Error('session.no_common_version');
  return { said, signature, sealed, ephemeral };
}

/// Checks the code of a grant and reads it.
export function readGrant(key, message) {
  const [grant, code] = decode(message);
  if (!timingSafeEqual(mac(key, DIRECTION.back, Buffer.from('grant'), grant), code)) {
    throw new Error('session.bad_mac');
  }
  const [id, time, expires, generation, secrets, certificate] = decode(grant);
  return { id, time, expires, generation, secrets, certificate };
}

/// An open session.
export class Session {
  static async open({ address, key, certificate, anchors }) {
    const mine = keyOf('x25519');
    const hello = encode([[1], anchors.authority, mine.public, randomBytes(16)]);
    const answered = readServerHello(anchors, hello, await post(address, '/v1/session', hello));
    const t4 = transcript(hello, answered.said, answered.signature, sha256(certificate[0]));
    const proof = sign(key.seed, PURPOSE.sessionClient, anchors.authority, t4);
    const prove = encode([answered.sealed, certificate, proof]);
    const session = new Session();
    session.key = channelKey(mine.seed, answered.ephemeral, t4);
    const grant = readGrant(session.key, await post(address, '/v1/session', prove));
    return Object.assign(session, { address, id: grant.id, generation: grant.generation, requests: 0 });
  }

  async sync(request) {
    const body = encodeFrame(request);
    const number = (this.requests += 1);
    const code = requestMac(this.key, number, 'POST', '/v1/sync', body);
    const headers = {
      'content-type': 'application/cbor+zstd',
      'x-og-session': `${this.id.toString('hex')}.${number.toString(16)}`,
      'x-og-mac': code.toString('hex'),
    };
    const check = (answered, answer) => {
      const theirs = Buffer.from(answered.get('x-og-mac') ?? '', 'hex');
      if (!theirs.equals(answerMac(this.key, code, answer))) throw new Error('session.bad_mac');
    };
    return decodeFrame(await post(this.address, '/v1/sync', body, headers, check));
  }
}
