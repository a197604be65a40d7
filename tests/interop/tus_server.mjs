// A tus server of other authors (@tus/server with its FileStore) behind the session of the protocol, so that a phone
// can upload to it. It speaks the handshake, the codes, and as much of a sync as an upload needs: each envelope is
// accepted unread and belongs to no stream. Offsets, locks and files are those of @tus/server.
//
//   node tus_server.mjs FOLDER [IDENTITY]
//
// It keeps files in FOLDER, listens on a free port of this machine, and prints one line of JSON with `port`, `root`,
// `list`, `receipts`, `certificates`, `generation`, and `qr`, an invitation that makes each phone a volunteer. IDENTITY is JSON with `root` (public key), `list` (list of
// server keys, CBOR), `receipts` (seed of a key of kind 1 in the list), all in hex, and `generation`. Without it, the
// server makes keys of its own, and prints the seed of the key for certificates, too. It ends with its standard input.
import { createServer } from 'node:http';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';
import { covered } from './src/attachments.js';
import { decodeBatch, hashOf, recordOf } from './src/batch.js';
import { decode, encode, struct } from './src/cbor.js';
import { decodeFrame, encodeFrame } from './src/frame.js';
import { answerMac, channelKey, mac, requestMac, transcript, writeQr } from './src/session.js';
import {
  Anchors, PURPOSE, SERVER_KEY, authorityOf, deviceId, keyOf, sha256, sign, verify,
} from './src/trust.js';

const BASE = '/v1/attachments';
const FILE = /^\/v1\/attachments\/([0-9a-f-]{36})\/([0-9a-f]{64})$/;
const BACK = 2;
const SESSION_MS = 15 * 60 * 1000;
const CERTIFICATE_MS = 24 * 60 * 60 * 1000;
const [VOLUNTEER, AREA] = [1, 1];
// District, town, village and grid of every phone, as their statistical codes name them.
const HOME = ['330105000000', '330105013000', '330105013003', '330105013003001'].map((code) =>
  recordOf(sha256(Buffer.from('onegrid.area'), Buffer.from(code))));
const BODY_BYTES_MAX = 1 << 20;
// The codes of the protocol for the statuses of @tus/server.
const CODES = {
  404: 'attachment.absent', 409: 'attachment.offset', 410: 'attachment.absent', 412: 'attachment.tus_version',
  413: 'http.too_large', 415: 'http.media_type',
};

class Refusal extends Error {
  constructor(status, code) {
    super(code);
    this.status = status;
  }
}

/// Makes a root key, a key for certificates, a key for sessions, and the list of both.
function newIdentity() {
  const [root, certificates, receipts] = [keyOf('ed25519'), keyOf('ed25519'), keyOf('ed25519')];
  const entry = (key, kind) => struct(key.public, kind, 0, 1_000_000, null);
  const keys = [entry(certificates, SERVER_KEY.certificates), entry(receipts, SERVER_KEY.receipts)];
  const signed = sign(root.seed, PURPOSE.serverKeys, authorityOf(root.public), encode([1, keys]));
  const hex = (bytes) => bytes.toString('hex');
  return {
    root: hex(root.public), list: hex(encode([1, keys, signed])), receipts: hex(receipts.seed),
    certificates: hex(certificates.seed), generation: 1,
  };
}

/// The server's half of the handshake, and the sessions that it opened.
class Sessions {
  constructor({ root, list, receipts, generation, certificates }) {
    this.issuer = certificates && Buffer.from(certificates, 'hex');
    this.list = decode(Buffer.from(list, 'hex'));
    this.anchors = new Anchors(Buffer.from(root, 'hex'), this.list);
    Object.assign(this, { seed: Buffer.from(receipts, 'hex'), generation, begun: new Map(), open: new Map() });
  }

  answer(message) {
    const parts = decode(message);
    return Array.isArray(parts[0]) ? this.hello(message, parts) : this.proof(parts);
  }

  hello(message, [versions, authority, theirs]) {
    if (!versions.includes(1) || !authority.equals(this.anchors.authority)) throw new Refusal(400, 'wire.damaged');
    const mine = keyOf('x25519');
    const said = encode([1, this.list, mine.public, randomBytes(16)]);
    const t2 = transcript(message, said);
    const signature = sign(this.seed, PURPOSE.sessionServer, authority, t2);
    // The phone carries these bytes back unread. This server remembers its handshakes by them.
    const name = t2.subarray(0, 16);
    this.begun.set(name.toString('hex'), { message, said, signature, mine, theirs });
    return encode([said, signature, name]);
  }

  proof([name, certificate, signature]) {
    const begun = this.begun.get(name.toString('hex'));
    if (!begun) throw new Refusal(401, 'session.unknown');
    this.begun.delete(name.toString('hex'));
    const facts = this.anchors.certificate(certificate);
    const t4 = transcript(begun.message, begun.said, begun.signature, sha256(certificate[0]));
    verify(facts.key, PURPOSE.sessionClient, this.anchors.authority, t4, signature);
    const key = channelKey(begun.mine.seed, begun.theirs, t4);
    const [id, now] = [randomBytes(16), Date.now()];
    this.open.set(id.toString('hex'), key);
    const secrets = struct(randomBytes(32), null);
    const grant = encode(struct(id, now, now + SESSION_MS, this.generation, secrets, null));
    return encode([grant, mac(key, BACK, Buffer.from('grant'), grant)]);
  }

  /// Answers an enrolment. Every phone is taken, because the server keeps no list of invitations.
  enrol(message) {
    if (!this.issuer) throw new Refusal(403, 'http.refused');
    const [asked] = decode(message);
    const [, , key] = decode(asked);
    const [issued, mark] = [Date.now(), [this.generation, 1]];
    const [member, expires] = [randomBytes(16), issued + CERTIFICATE_MS];
    const grants = [[VOLUNTEER, [AREA, HOME]]];
    const facts = encode(struct(1, deviceId(key), key, member, grants, issued, expires, mark));
    const signature = sign(this.issuer, PURPOSE.certificate, this.anchors.authority, facts);
    const secrets = struct(randomBytes(32), null);
    return encode([[facts, signature], this.anchors.root, this.list, issued, secrets]);
  }

  /// Answers a sync: all envelopes of the bundle are accepted, and there is nothing to read.
  sync(frame) {
    const [, , bundle] = decodeFrame(frame);
    const now = Date.now();
    const receipt = bundle && this.receipt(decodeBatch(bundle).envelopes.map(hashOf), now);
    const [nothingNew, noDigest] = [0, Buffer.alloc(16)];
    const page = [nothingNew, null, null, [], noDigest, false, null, [], []];
    return encodeFrame([1, this.generation, now, now + SESSION_MS, receipt ?? null, [], ...page]);
  }

  receipt(hashes, time) {
    const signer = deviceId(keyOf('ed25519', this.seed).public);
    const lines = hashes.map((hash) => [hash, [[0, []], time, this.generation], []]);
    const bytes = encode([signer, this.generation, time, lines]);
    const signature = sign(this.seed, PURPOSE.receipt, this.anchors.authority, bytes);
    return [signer, this.generation, time, lines.map(([, ...line]) => line), signature];
  }

  /// Checks the code of a request; returns the function that makes the code of its answer.
  check(request, body) {
    const [id, number] = (request.headers['x-og-session'] ?? '').split('.');
    const key = this.open.get(id);
    if (!key) throw new Refusal(401, 'session.unknown');
    const code = requestMac(key, BigInt(`0x${number}`), request.method, request.url, body);
    const theirs = Buffer.from(request.headers['x-og-mac'] ?? '', 'hex');
    if (theirs.length !== code.length || !timingSafeEqual(theirs, code)) throw new Refusal(401, 'session.bad_mac');
    return (answer) => answerMac(key, code, answer).toString('hex');
  }
}

async function bodyOf(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    if ((length += part.length) > BODY_BYTES_MAX) throw new Refusal(413, 'http.too_large');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function refuse(response, status, code) {
  if (response.headersSent) return response.destroy();
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  return response.end(JSON.stringify({ status, code }));
}

/// Adds the code of each success just before its headers leave.
function signed(response, sessions, codeOf, known) {
  const write = response.writeHead.bind(response);
  response.writeHead = (status, headers = {}) => {
    response.writeHead = write;
    if (status >= 300) return write(status, headers);
    const all = { ...known(), ...headers, 'x-og-generation': sessions.generation };
    for (const [name, value] of Object.entries(all)) response.setHeader(name, value);
    response.setHeader('x-og-mac', codeOf(covered.answer(status, (name) => response.getHeader(name))));
    return write(status);
  };
}

export function serve(folder, identity = newIdentity()) {
  const sessions = new Sessions(identity);
  const store = new FileStore({ directory: folder });
  const idOf = ({ url }) => url.slice(BASE.length + 1);
  const tus = new Server({
    path: BASE, datastore: store, relativeLocation: true, lockDrainTimeout: 50,
    namingFunction: idOf, getFileIdFromRequest: idOf,
    generateUrl: (request) => `${BASE}/${idOf(request).replace('_', '/')}`,
    onResponseError: (request, response, error) => {
      const status = error.status_code ?? 500;
      return { status_code: status, body: JSON.stringify({ status, code: CODES[status] ?? 'server.internal' }) };
    },
  });
  const uploadOf = (id) => store.getUpload(id).catch(() => null);

  async function transfer(request, response, [, record, file]) {
    const codeOf = sessions.check(request, covered.request(request.headers));
    const id = `${record}_${file}`;
    const before = await uploadOf(id);
    const length = before?.size ?? request.headers['upload-length'];
    const known = { POST: { 'upload-offset': 0, 'upload-length': length }, PATCH: { 'upload-length': length } };
    signed(response, sessions, codeOf, () => known[request.method] ?? {});
    // @tus/server makes a new upload for each POST. Here the name comes from the phone, so it finds the old one.
    if (request.method === 'POST' && before && String(before.size) === request.headers['upload-length']) {
      const headers = { location: request.url, 'tus-resumable': '1.0.0', 'upload-offset': before.offset };
      response.writeHead(201, headers);
      return response.end();
    }
    request.url = `${BASE}/${id}`;
    return tus.handle(request, response);
  }

  async function sync(request, response) {
    const body = await bodyOf(request);
    const codeOf = sessions.check(request, body);
    const answer = sessions.sync(body);
    response.writeHead(200, { 'content-type': 'application/cbor+zstd', 'x-og-mac': codeOf(answer) });
    return response.end(answer);
  }

  async function needed(request, response) {
    const body = await bodyOf(request);
    const codeOf = sessions.check(request, body);
    const [files] = decode(body);
    const uuid = (hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    const places = [];
    for (const [place, [record, id]] of files.entries()) {
      const upload = await uploadOf(`${uuid(record.toString('hex'))}_${id.toString('hex')}`);
      if (!upload || upload.offset < upload.size) places.push(place);
    }
    const answer = encode([sessions.generation, places]);
    response.writeHead(200, { 'content-type': 'application/cbor', 'x-og-mac': codeOf(answer) });
    return response.end(answer);
  }

  async function route(request, response) {
    const file = FILE.exec(request.url);
    if (file) return transfer(request, response, file);
    const name = request.method === 'POST' && request.url;
    if (name === `${BASE}/needed`) return needed(request, response);
    if (name === '/v1/sync') return sync(request, response);
    const answers = {
      '/v1/session': (message) => sessions.answer(message),
      '/v1/enrol': (message) => sessions.enrol(message),
    };
    if (!answers[name]) throw new Refusal(404, 'http.not_found');
    const answer = answers[name](await bodyOf(request));
    response.writeHead(200, { 'content-type': 'application/cbor' });
    return response.end(answer);
  }

  const server = createServer((request, response) => {
    route(request, response).catch((error) => refuse(response, error.status ?? 400, error.message));
  });
  return new Promise((listening) => {
    server.listen(0, '127.0.0.1', () => listening({ server, identity, port: server.address().port }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, identity] = process.argv.slice(2);
  if (!folder) throw new Error('usage: node tus_server.mjs FOLDER [IDENTITY]');
  const running = await serve(folder, identity && JSON.parse(identity));
  const { port, identity: shown } = running;
  const address = `http://127.0.0.1:${port}`;
  const qr = writeQr({ secret: randomBytes(10), root: Buffer.from(shown.root, 'hex'), address });
  console.log(JSON.stringify({ port, qr, ...shown }));
  process.stdin.resume().on('end', () => process.exit());
}
