// A phone in memory: it holds records and streams, writes envelopes, and syncs (protocol.md, 3 to 7, 13 and 15).
import { randomBytes } from 'node:crypto';
import * as Automerge from '@automerge/automerge';
import { decodeBatch, encodeBatch, hashOf, recordOf, statusNumber } from './batch.js';
import { decode, encode, struct } from './cbor.js';
import { decodePackBatch } from './pack.js';
import { Session } from './session.js';
import { PURPOSE, sha256, sign, u32, u64, verify } from './trust.js';

const [GENESIS, CHANGE, EVENT] = [1, 2, 3];
const FOLD_VERSION = 1;
const PAGE_BYTES = 256 << 10;
const DIRECTORY_BASE = '06';
const hex = (bytes) => bytes.toString('hex');

/// Returns the line of a settled envelope, as a number.
export function line(id, [status, time, generation]) {
  const bytes = sha256(Buffer.from('onegrid.line'), id, u64(statusNumber(status)), u64(time), u32(generation));
  return BigInt(`0x${hex(Buffer.from(bytes.subarray(0, 16)).reverse())}`);
}

export const sumBytes = (sum) =>
  Buffer.from(BigInt.asUintN(128, sum).toString(16).padStart(32, '0'), 'hex').reverse();

export class Phone {
  constructor(identity) {
    Object.assign(this, { ...identity, records: new Map(), cursors: new Map(), outbox: [] });
    Object.assign(this, { directory: [], bulletins: [], certificates: new Map(), mark: identity.facts.mark });
    this.newEpoch();
  }

  /// Makes a new installation epoch; later changes are written under its actor.
  newEpoch() {
    this.actor = hex(Buffer.concat([this.facts.device.subarray(0, 8), randomBytes(8)]));
  }

  /// Makes a record of scalars and a description; returns its name.
  report(kind, home, fields, grant = 0) {
    const document = Automerge.change(Automerge.init({ actor: this.actor }), { time: 0 }, (content) => {
      for (const [name, value] of Object.entries(fields)) {
        const text = typeof value === 'string' && name !== 'description';
        content[name] = text ? new Automerge.ImmutableString(value) : value;
      }
    });
    const change = Automerge.getLastLocalChange(document);
    const body = struct(randomBytes(16), kind, home, 1, null, 1, [], null, Buffer.from(change));
    return this.write(null, GENESIS, body, grant, document);
  }

  /// Changes the content of a record.
  edit(name, change, grant = 0) {
    const record = this.records.get(name);
    const mine = Automerge.clone(record.document, { actor: this.actor });
    const document = Automerge.change(mine, { time: 0 }, change);
    const raw = Buffer.from(Automerge.getLastLocalChange(document));
    return this.write(record, CHANGE, struct(randomBytes(16), raw, null), grant, document);
  }

  /// Makes a move; returns the id of its envelope.
  event(name, code, data, grant = 0) {
    const body = struct(randomBytes(16), code, FOLD_VERSION, encode(data), null, null);
    this.write(this.records.get(name), EVENT, body, grant);
    return this.outbox.at(-1).hash.subarray(0, 16);
  }

  write(record, kind, fields, grant, document) {
    const { facts, key, anchors } = this;
    const parents = record ? [...record.heads].sort().map((id) => Buffer.from(id, 'hex')) : [];
    const id = record ? Buffer.from(record.name, 'hex') : null;
    const header = [1, 1, kind, id, facts.device, facts.hash, grant, parents, this.mark, Date.now()];
    const envelope = [encode(header), encode(fields)];
    const hash = hashOf(envelope);
    envelope.push(sign(key.seed, PURPOSE.envelope, anchors.authority, hash));
    const written = record ?? this.record(recordOf(hash));
    this.outbox.push({ hash, envelope, record: written, before: document && written.document });
    if (document) written.document = document;
    this.note(written, hash.subarray(0, 16), parents, null);
    return written.name;
  }

  record(id) {
    const name = hex(id);
    if (!this.records.has(name)) {
      const graph = { lines: new Map(), heads: new Set(), covered: new Set() };
      this.records.set(name, { name, ...graph, events: [], document: null });
    }
    return this.records.get(name);
  }

  /// Adds an envelope to the DAG of its record, with the latest verdict on it.
  note(record, id, parents, verdict) {
    parents.map(hex).forEach((parent) => record.covered.add(parent) && record.heads.delete(parent));
    if (!record.covered.has(hex(id))) record.heads.add(hex(id));
    if (verdict !== null && verdict[0][0] < 3) record.lines.set(hex(id), verdict);
  }

  digest(streams) {
    const members = streams.flatMap(({ records }) => [...records]).map((name) => this.records.get(name));
    const lines = members.flatMap((record) => [...record.lines]);
    return sumBytes(lines.reduce((sum, [id, verdict]) => sum + line(Buffer.from(id, 'hex'), verdict), 0n));
  }

  /// Delivers and pulls until nothing is left; returns the verdicts on the delivered envelopes.
  async sync() {
    this.session ??= await Session.open(this);
    const verdicts = [];
    for (let [all, more] = [this.cursors.size === 0, true]; more; ) {
      const sent = this.outbox.splice(0);
      const cursors = [...this.cursors.values()].map(({ stream, at }) => [stream, at]);
      const known = all ? [1, cursors] : [0, cursorHash(cursors)];
      const batch = sent.map(({ envelope }) => envelope);
      const bundle = batch.length > 0 ? encodeBatch([this.certificate], batch) : null;
      const answer = await this.session.sync([1, known, bundle, null, [], PAGE_BYTES]);
      const [, , , , receipt, missing, moved, streams, page, , heads, rest, closed] = answer;
      if (missing.length > 0 || closed !== null) throw new Error('the server lacks parents, or is closed');
      if (receipt !== null) verdicts.push(...this.receipt(receipt, sent));
      if (streams !== null) this.follow(streams);
      if (page !== null) this.page(page, sent);
      all = moved === 1 || streams !== null;
      more = all || rest || moved === 2;
      if (!more && !this.digest([...this.cursors.values()]).equals(heads)) throw new Error('digests differ');
    }
    return verdicts;
  }

  follow(streams) {
    const before = this.cursors;
    const fresh = (stream) => ({ stream, at: [0, []], records: new Set() });
    this.cursors = new Map(streams.map((stream) => [hex(stream), before.get(hex(stream)) ?? fresh(stream)]));
  }

  receipt([signer, generation, time, lines, signature], sent) {
    const attested = lines.map(([verdict, at], index) => [sent[index].hash, verdict, at]);
    this.anchors.attestation(signer, generation, time, attested, signature);
    return sent.map(({ hash, record, before }, index) => {
      const [verdict] = lines[index];
      this.note(record, hash.subarray(0, 16), [], verdict);
      if (before && verdict[0][0] > 1) {
        // A change that does not count leaves the document, and no later change may build on it.
        record.document = before;
        this.newEpoch();
      }
      return verdict;
    });
  }

  page([batch, packBatches, segments, proof], sent) {
    const { certificates, envelopes, verdicts } = decodeBatch(batch, true);
    for (const certificate of certificates) {
      const facts = this.anchors.certificate(certificate);
      this.certificates.set(hex(facts.hash), facts);
    }
    const lines = pageLines(envelopes, verdicts, segments);
    if (lines.length > 0) this.anchors.attestation(...proof.slice(0, 3), lines, proof[3]);
    const packs = packBatches.flatMap((bytes) => decodePackBatch(bytes, certificates, this.anchors));
    packs.forEach((pack) => this.pack(pack));
    envelopes.forEach((envelope, index) => this.envelope(envelope, verdicts[index]));
    for (const [stream, , entries, next] of segments) {
      const cursor = this.cursors.get(hex(stream)) ?? { stream, records: new Set() };
      this.cursors.set(hex(stream), Object.assign(cursor, { at: next }));
      entries.forEach((entry) => this.entry(cursor.records, entry, { envelopes, packs, sent }));
      if (hex(stream) === DIRECTORY_BASE && next[0] === 2) this.mark = next[1].slice(0, 2);
    }
  }

  pack({ record: id, genesis, document, entries }) {
    const record = Object.assign(this.record(id), { genesis });
    record.document = Automerge.load(document);
    for (const entry of entries) {
      const parents = entry.parents.map((parent) => entries[parent].id);
      this.note(record, entry.id, parents, entry.verdict);
      if (entry.code) record.events.push({ id: entry.id, code: entry.code, data: decode(entry.data) });
    }
  }

  envelope(envelope, verdict) {
    const hash = hashOf(envelope);
    const [, , kind, id, device, certificate, , parents] = decode(envelope[0]);
    const author = this.certificates.get(hex(certificate));
    if (author) verify(author.key, PURPOSE.envelope, this.anchors.authority, hash, envelope[2]);
    if (author && !author.device.equals(device)) throw new Error('trust.wrong_certificate');
    const record = this.record(id ?? recordOf(hash));
    const isNew = !record.lines.has(hex(hash.subarray(0, 16)));
    this.note(record, hash.subarray(0, 16), parents, verdict);
    if (!isNew || verdict[0][0] > 1) return;
    const body = decode(envelope[1]);
    if (kind === EVENT) record.events.push({ id: hash.subarray(0, 16), code: body[1], data: decode(body[3]) });
    const change = kind === GENESIS ? body[8] : kind === CHANGE ? body[1] : null;
    if (change) [record.document] = Automerge.applyChanges(record.document ?? Automerge.init(), [change]);
  }

  entry(records, [kind, first, second], { envelopes, packs, sent }) {
    const nameOf = (envelope) => hex(decode(envelope[0])[3] ?? recordOf(hashOf(envelope)));
    const holder = (id) => [...this.records.values()].find(({ lines }) => lines.has(hex(id))).name;
    const apply = [
      () => records.add(nameOf(envelopes[first])),
      () => records.add(hex(first)),
      () => records.delete(hex(first)),
      () => this.records.get(holder(first.subarray(0, 16))).lines.set(hex(first.subarray(0, 16)), second),
      () => this.directory.push(this.anchors.directoryEntry(first)),
      () => this.bulletins.push(decode(first)),
      () => records.add(sent[first].record.name),
      () => records.add(holder(first)),
      () => packs.slice(first, first + second).forEach(({ record }) => records.add(hex(record))),
      () => {},
    ];
    apply[kind]();
  }
}

/// Returns the lines that the proof of a page signs.
export function pageLines(envelopes, verdicts, segments) {
  const lines = envelopes.map((envelope, index) => [hashOf(envelope), verdicts[index], []]);
  const changed = [];
  for (const [stream, first, entries] of segments) {
    entries.forEach(([kind, ...fields], offset) => {
      const at = [stream, first + offset];
      if (kind === 0) lines[fields[0]][2].push(at);
      if (kind === 3) changed.push([...fields, [at]]);
    });
  }
  return [...lines, ...changed];
}

/// Returns the hash of a set of cursors.
export function cursorHash(cursors) {
  const lines = cursors.map((cursor) => [encode(cursor[0]), encode(cursor)]);
  lines.sort(([a], [b]) => Buffer.compare(a, b));
  return sha256(...lines.map(([, cursor]) => cursor));
}
