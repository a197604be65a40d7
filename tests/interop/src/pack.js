// Packs and batches of packs (protocol.md, 12).
import { actor, named, recordOf, statusNumber, statusOf } from './batch.js';
import { decode, encode } from './cbor.js';
import { Columns } from './columns.js';
import { PURPOSE, SERVER_KEY, sha256 } from './trust.js';

const COLUMNS = 19;
const [COUNTS, FACTS, BLOBS, LENGTHS, FLAGS, PARENTS, ACTORS, RAW_IDS, IDS, CLOCKS, TIMES, STATUSES, WRITERS,
  SEQS, CODES, DATA, EXTRAS, STUBS, DOCUMENTS] = Array.from({ length: COLUMNS }, (_, index) => index);
const [CHANGE, EVENT, STUB] = [0, 1, 2];
const HAS = { parents: 4, status: 8, sameTime: 16, seq: 32, extras: 64, fold: 128 };
const EXTRA = { entry: 1, other: 2, behalf: 4, refers: 8 };

const start = (certificates) =>
  ({ certificates, blobs: [], actors: [], firstClock: 0, clock: 0, time: 0, generation: 0, fold: 0 });
const placeOf = (entries, id) => entries.findIndex((entry) => entry.id.equals(id));

/// Reads or writes one pack.
function pack(columns, past, given) {
  const length = columns.uint(COUNTS, given?.entries.length);
  const facts = [0, 1].map((place) => blob(columns, past, given?.facts[place]));
  const document = columns.sized(LENGTHS, DOCUMENTS, given?.document);
  Object.assign(past, { seqs: new Map(), entries: [] });
  while (past.entries.length < length) {
    past.entries.push(entry(columns, past, given?.entries[past.entries.length]));
  }
  return { facts, document, entries: past.entries };
}

function blob(columns, past, given) {
  const place = columns.uint(FACTS, given && past.blobs.findIndex((known) => known.equals(given)) + 1);
  if (place === 0) past.blobs.push(columns.sized(LENGTHS, BLOBS, given));
  return past.blobs.at(place - 1);
}

function entry(columns, past, given) {
  const index = past.entries.length;
  const flags = columns.byte(FLAGS, given && flagsOf(past, given));
  const read = { is: flags & 3, ...content(columns, past, flags, given) };
  read.id = columns.raw(IDS, 16, given?.id);
  read.parents = index === 0 ? [] : [index - 1];
  if (flags & HAS.parents) {
    const one = (parent) => index - columns.uint(PARENTS, index - parent);
    read.parents = columns.list(PARENTS, one, given?.parents);
  }
  read.actor = actor(columns, [ACTORS, RAW_IDS], past, given?.actor);
  read.clock = columns.delta(CLOCKS, index === 0 ? past.firstClock : past.clock, given?.clock);
  const [status, time, generation] = given?.verdict ?? [];
  const number = flags & HAS.status ? columns.uint(STATUSES, given && statusNumber(status)) : 0;
  if (flags & HAS.status) past.generation = columns.uint(STATUSES, generation);
  if (!(flags & HAS.sameTime)) past.time = columns.delta(TIMES, read.clock, time);
  if (index === 0) past.firstClock = read.clock;
  past.clock = read.clock;
  return { ...read, verdict: [statusOf(number), past.time, past.generation] };
}

function flagsOf(past, { is, parents, verdict: [status, time, generation], seq, fold, writer, extras }) {
  const follows = String(parents) === String(past.entries.length === 0 ? [] : [past.entries.length - 1]);
  const odd = statusNumber(status) !== 0 || generation !== past.generation;
  return is | (follows ? 0 : HAS.parents) | (odd ? HAS.status : 0) | (time === past.time ? HAS.sameTime : 0)
    | (is === CHANGE && seq !== (past.seqs.get(writer) ?? 1) ? HAS.seq : 0) | (extras ? HAS.extras : 0)
    | (is === EVENT && fold !== past.fold ? HAS.fold : 0);
}

function content(columns, past, flags, given) {
  const is = flags & 3;
  if (is === STUB) {
    const kind = columns.byte(STUBS, given?.kind);
    const hasChange = columns.byte(STUBS, given?.change ? 1 : 0);
    return { kind, change: hasChange ? columns.raw(RAW_IDS, 32, given?.change) : null };
  }
  if (is === EVENT) {
    const code = columns.uint(CODES, given?.code);
    if (flags & HAS.fold) past.fold = columns.byte(CODES, given?.fold);
    const [rest, refers] = given ? withoutIds(past.entries, given.data) : [];
    const short = columns.sized(LENGTHS, DATA, rest);
    const more = extras(columns, past, flags, given && { ...given, refers });
    return { code, fold: past.fold, data: withIds(past.entries, short, more.refers ?? []), ...more };
  }
  const writer = columns.uint(WRITERS, given?.writer);
  const seq = flags & HAS.seq ? columns.uint(SEQS, given?.seq) : (past.seqs.get(writer) ?? 1);
  past.seqs.set(writer, seq + 1);
  return { writer, seq, ...extras(columns, past, flags, given) };
}

function extras(columns, past, flags, given) {
  if (!(flags & HAS.extras)) return {};
  const bits = columns.byte(EXTRAS, given?.extras);
  const place = given && bits & EXTRA.entry && placeOf(past.entries, given.replaces);
  const replaced = bits & EXTRA.entry ? past.entries[columns.uint(EXTRAS, place)].id : null;
  const replaces = bits & EXTRA.other ? columns.raw(RAW_IDS, 16, given?.replaces) : replaced;
  const behalf = bits & EXTRA.behalf ? columns.sized(EXTRAS, EXTRAS, given?.behalf) : null;
  const one = (pair) => [columns.uint(EXTRAS, pair?.[0]), columns.uint(EXTRAS, pair?.[1])];
  const refers = bits & EXTRA.refers ? columns.list(EXTRAS, one, given?.refers) : [];
  return { extras: bits, replaces, behalf, refers };
}

/// Puts the ids of earlier entries back where they were taken out.
function withIds(entries, data, refers) {
  let at = 0;
  const parts = refers.flatMap(([gap, place]) => [data.subarray(at, (at += gap)), entries[place].id]);
  return Buffer.concat([...parts, data.subarray(at)]);
}

function withoutIds(entries, data) {
  const [rest, refers] = [[], []];
  for (let [at, gap] = [0, 1]; at < data.length; at += 1, gap += 1) {
    rest.push(data[at]);
    const place = data[at] === 0x50 ? placeOf(entries, data.subarray(at + 1, at + 17)) : -1;
    if (place < 0) continue;
    refers.push([gap, place]);
    [at, gap] = [at + 16, 0];
  }
  return [Buffer.from(rest), refers];
}

/// Returns the bytes of one pack alone, which are hashed and signed.
export function encodePack(given) {
  const columns = Columns.writer(COLUMNS);
  pack(columns, start([]), given);
  return Buffer.concat([Buffer.of(1), columns.bytes()]);
}

export function decodePack(bytes) {
  if (bytes[0] !== 1) throw new Error('wire.bad_pack');
  const columns = Columns.reader(bytes.subarray(1), COLUMNS);
  const { facts, document, entries } = pack(columns, start([]));
  columns.end();
  const [kind, audience, team, source, members, linked] = decode(facts[1]);
  const genesis = { home: decode(facts[0]), kind, audience, team, source, named: members, linked };
  return { facts, document, entries, genesis, record: recordOf(entries[0].id) };
}

/// Reads a batch of packs beside the certificates of its page, checks its proof, and returns the
/// packs.
export function decodePackBatch(bytes, certificates, anchors) {
  if (bytes[0] !== 1) throw new Error('wire.bad_pack');
  const [PROOF, HASHES, FORMS, RAW, PACKS] = [0, 1, 2, 3, 4];
  const outer = Columns.reader(bytes.subarray(1), 5);
  const columns = Columns.reader(outer.raw(PACKS, outer.left(PACKS)), COLUMNS);
  const [past, alone] = [start(named(certificates)), []];
  while (outer.left(FORMS) > 0) {
    alone.push(outer.byte(FORMS) === 0 ? encodePack(pack(columns, past)) : outer.sized(RAW, RAW));
  }
  columns.end();
  const own = alone.map((one) => sha256(one));
  const [signer, signature] = [outer.raw(PROOF, 16), outer.raw(PROOF, 64)];
  const [generation, time] = [outer.uint(PROOF), outer.delta(PROOF, 0)];
  const listed = outer.list(HASHES, (_, index) => {
    const place = outer.uint(HASHES);
    return place === 1 ? outer.raw(HASHES, 32) : own[place === 0 ? index : place - 2];
  });
  outer.end();
  if (!own.every((hash) => listed.some((known) => known.equals(hash)))) throw new Error('wire.pack_not_listed');
  const signed = encode([signer, generation, time, listed]);
  anchors.verify(SERVER_KEY.packs, signer, PURPOSE.pack, signed, signature, { time, generation });
  return alone.map(decodePack);
}
