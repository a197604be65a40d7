// Batches of envelopes and certificates (protocol.md, 11).
import { decode, encode } from './cbor.js';
import { Columns } from './columns.js';
import { sha256 } from './trust.js';

const COLUMNS = 17;
const [COUNTS, CERTIFICATES, FLAGS, MISC, RECORDS, AUTHORS, PARENTS, CLOCKS, MARKS, LENGTHS, IDS, SIGNATURES] =
  Array.from({ length: COLUMNS }, (_, index) => index);
const [OTHERS, VERDICTS] = [15, 16];
const bodyColumn = (kind) => (kind >= 1 && kind <= 3 ? 11 + kind : OTHERS);

export const hashOf = ([header, body]) => sha256(header, sha256(body));
export const idOf = (envelope) => hashOf(envelope).subarray(0, 16);

/// Returns the record that a Genesis with this hash or id makes.
export function recordOf(hash) {
  const record = Buffer.from(hash.subarray(0, 16));
  record[6] = (record[6] & 0x0f) | 0x80;
  record[8] = (record[8] & 0x3f) | 0x80;
  return record;
}

/// Returns device and hash of each certificate, as actors name them.
export const named = (certificates) =>
  certificates.map(([facts]) => [decode(facts)[1], sha256(facts)]);

/// Reads or writes an actor `[device, certificate hash, grant]`; a writer names no certificate.
export function actor(columns, [numbers, ids], past, given) {
  const same = (known) => given && known && encode(known).equals(encode(given));
  const place = same(past.actor) ? 0 : past.actors.findIndex(same) + 2;
  const kind = columns.uint(numbers, given && place);
  if (kind === 1) {
    const listed = columns.uint(numbers, 0);
    const inFull = () => [columns.raw(ids, 16, given?.[0]), columns.raw(ids, 32, given?.[1])];
    past.actors.push([...(past.certificates[listed - 1] ?? inFull()), columns.byte(numbers, given?.[2])]);
  }
  past.actor = kind === 0 ? past.actor : kind === 1 ? past.actors.at(-1) : past.actors[kind - 2];
  return past.actor;
}

/// Converts a status number to the status in a verdict, and back.
export const statusOf = (number) =>
  number < 2 ? [number, []] : [number % 5, [Math.floor(number / 5)]];
export const statusNumber = ([kind, [reason]]) => kind + 5 * (reason ?? 0);

/// Writes envelopes in the plainest spelling that the format has: every header travels raw.
export function encodeBatch(certificates, envelopes) {
  const out = Columns.writer(COLUMNS);
  out.uint(COUNTS, certificates.length);
  out.uint(COUNTS, envelopes.length);
  for (const [facts, signature] of certificates) {
    out.sized(LENGTHS, CERTIFICATES, facts);
    out.raw(SIGNATURES, 64, signature);
  }
  for (const [header, body, signature] of envelopes) {
    out.byte(FLAGS, 1);
    out.raw(SIGNATURES, 64, signature);
    out.uint(LENGTHS, body.length);
    out.sized(LENGTHS, OTHERS, header);
    out.raw(OTHERS, body.length, body);
  }
  return Buffer.concat([Buffer.of(1), out.bytes()]);
}

/// Reads a batch: `{ certificates, envelopes, verdicts }`; a bundle has no verdicts.
export function decodeBatch(bytes, judged) {
  if (bytes[0] !== 1) throw new Error('wire.batch');
  const columns = Columns.reader(bytes.subarray(1), COLUMNS);
  const [certificateCount, length] = [columns.uint(COUNTS), columns.uint(COUNTS)];
  const certificates = Array.from({ length: certificateCount }, () =>
    [columns.sized(LENGTHS, CERTIFICATES), columns.raw(SIGNATURES, 64)]);
  const past = { ids: [], heads: new Map(), records: [], actors: [], certificates: named(certificates) };
  Object.assign(past, { clock: 0, mark: [0, 0], time: 0, generation: 0 });
  const envelopes = Array.from({ length }, () => readEnvelope(columns, past));
  const verdicts = Array.from({ length: judged ? length : 0 }, () => {
    const status = statusOf(columns.uint(VERDICTS));
    past.time = columns.delta(VERDICTS, past.time);
    past.generation = columns.delta(VERDICTS, past.generation);
    return [status, past.time, past.generation];
  });
  columns.end();
  return { certificates, envelopes, verdicts };
}

function readEnvelope(columns, past) {
  const flags = columns.byte(FLAGS);
  const signature = columns.raw(SIGNATURES, 64);
  const bodyLength = columns.uint(LENGTHS);
  if (flags === 1) {
    const header = columns.sized(LENGTHS, OTHERS);
    const envelope = [header, columns.raw(OTHERS, bodyLength), signature];
    past.ids.push(idOf(envelope));
    return envelope;
  }
  if (flags & 0x81) throw new Error('wire.batch');
  const header = readHeader(columns, flags, past);
  const envelope = [encode(header), columns.raw(bodyColumn(header[2]), bodyLength), signature];
  const record = header[3] ?? recordOf(hashOf(envelope));
  list(past.records, record);
  past.ids.push(idOf(envelope));
  past.heads.set(record.toString('hex'), past.ids.at(-1));
  Object.assign(past, { record, mark: header[8], clock: header[9] });
  return envelope;
}

function list(records, record) {
  if (!records.some((known) => known.equals(record))) records.push(record);
}

function readHeader(columns, flags, past) {
  const [version, suite] = flags & 0x40 ? [columns.byte(MISC), columns.byte(MISC)] : [1, 1];
  const kind = (flags >> 4) & 3 || columns.byte(MISC);
  let record = null;
  if (!(flags & 2)) {
    const place = columns.uint(RECORDS);
    if (place === 1) list(past.records, (record = columns.raw(IDS, 16)));
    else record = place === 0 ? past.record : past.records[place - 2];
  }
  const author = actor(columns, [AUTHORS, IDS], past);
  let parents = record === null ? [] : [past.heads.get(record.toString('hex'))];
  if (!(flags & 4)) {
    parents = columns.list(PARENTS, () => {
      const back = columns.uint(PARENTS);
      return back === 0 ? columns.raw(IDS, 16) : past.ids.at(-back);
    });
  }
  const clock = columns.delta(CLOCKS, past.clock);
  const mark = flags & 8 ? past.mark : [columns.uint(MARKS), columns.delta(MARKS, past.mark[1])];
  return [version, suite, kind, record, ...author, parents, mark, clock];
}
