// Reads every golden vector of core/src/wire/golden, and checks it as far as its signatures reach.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import * as Automerge from '@automerge/automerge';
import { decodeBatch, encodeBatch, hashOf, idOf, recordOf } from '../src/batch.js';
import { decode, encode } from '../src/cbor.js';
import { decodeFrame } from '../src/frame.js';
import { derive, readCode, readParcel } from '../src/meeting.js';
import { decodePack, decodePackBatch, encodePack } from '../src/pack.js';
import { line, pageLines, sumBytes } from '../src/phone.js';
import { answerMac, channelKey, readGrant, readServerHello, requestMac, transcript } from '../src/session.js';
import { Anchors, PURPOSE, keyOf, sha256, sign, verify } from '../src/trust.js';

import { readCheckpoint, readJoin, readTrack } from '../src/walk.js';

const folder = new URL('../../../core/src/wire/golden/', import.meta.url);
const seed = (byte) => Buffer.alloc(32, byte);
const root = keyOf('ed25519', seed(1));
const phone = keyOf('ed25519', seed(3));
const read = new Set();

function golden(name) {
  read.add(`${name}.hex`);
  return Buffer.from(readFileSync(new URL(`${name}.hex`, folder), 'utf8').replace(/\s/g, ''), 'hex');
}

/// Checks a vector of one CBOR item, which the encoder here writes alike.
function item(name) {
  const value = decode(golden(name));
  assert.deepEqual(encode(value), golden(name), `${name} is written as it was read`);
  return value;
}

const anchors = new Anchors(root.public, item('server_keys'));
const certificate = item('certificate');
const facts = anchors.certificate(certificate);

test('certificate names its device and grants', () => {
  assert.deepEqual(facts.key, phone.public);
  assert.deepEqual(facts.grants.map(([role, [scope]]) => [role, scope]), [[4, 1], [10, 3]]);
});

test('envelopes verify and are signed alike here', () => {
  for (const name of ['genesis', 'change', 'event', 'unknown', 'report']) {
    const envelope = item(`envelope_${name}`);
    const [version, suite, , , device, named] = decode(envelope[0]);
    assert.deepEqual([version, suite, device, named], [1, 1, facts.device, facts.hash]);
    const hash = hashOf(envelope);
    verify(facts.key, PURPOSE.envelope, anchors.authority, hash, envelope[2]);
    assert.deepEqual(sign(phone.seed, PURPOSE.envelope, anchors.authority, hash), envelope[2]);
  }
});

test('content of a report is an Automerge document', () => {
  const [, kind, home, audience, team, source, named, linked, change] = decode(item('envelope_report')[1]);
  assert.deepEqual([kind, home.length, audience, team[0], source, named, linked], [1, 3, 1, 5, 1, [], null]);
  const [document] = Automerge.applyChanges(Automerge.init(), [change]);
  const { actor, time, message } = Automerge.decodeChange(change);
  assert.deepEqual([time, message], [0, null]);
  assert.equal(actor, facts.device.subarray(0, 8).toString('hex') + '0f'.repeat(8));
  const scalars = Object.entries(document).map(([key, value]) => [key, value?.val ?? value]);
  assert.deepEqual(Object.fromEntries(scalars), {
    title: '武林路133号',
    category: 'gas',
    severity: 3,
    occurred_ms: 1762803540000,
    position: document.position.val,
    'answer.gas_valve': '已关闭',
    [`photo.${'10'.repeat(32)}`]: '后厨🔥',
    description: '后厨存放6个液化气瓶。',
  });
  assert.match(document.position.val, /^\d{9},\d{10},12,3000,gcj02$/);
});

test('attestation and receipt verify', () => {
  const [signer, generation, time, lines, signature] = item('attestation');
  anchors.attestation(signer, generation, time, lines, signature);
  assert.deepEqual(lines.map(([, verdict]) => verdict[0]), [[0, []], [2, [4]]]);
  checkReceipt(item('receipt'));
});

function checkReceipt([signer, generation, time, [[verdict, at]], signature]) {
  const line = [hashOf(item('envelope_report')), verdict, at];
  anchors.attestation(signer, generation, time, [line], signature);
  assert.deepEqual(verdict[0], [0, []]);
}

const all = ['genesis', 'change', 'event', 'unknown'];

test('batch gives back the single envelopes', () => {
  const batch = decodeBatch(golden('batch'), false);
  assert.deepEqual(batch.envelopes, all.map((name) => item(`envelope_${name}`)));
  assert.deepEqual(batch.certificates, [certificate]);
  assert.deepEqual(decodeBatch(encodeBatch([certificate], batch.envelopes), false), batch);
});

test('pack is read, written alike, and proven', () => {
  const pack = decodePack(golden('pack'));
  assert.deepEqual(encodePack(pack), golden('pack'));
  assert.deepEqual(pack.entries.map(({ id }) => id), all.map((name) => idOf(item(`envelope_${name}`))));
  assert.deepEqual(pack.entries.map(({ is }) => is), [3, 0, 1, 2]);
  assert.deepEqual(pack.record, recordOf(hashOf(item('envelope_genesis'))));
  assert.deepEqual(decodePackBatch(item('pack_batch'), [], anchors), [pack]);
});

test('frame holds the request', () => {
  const request = item('sync_request');
  assert.deepEqual(decodeFrame(golden('frame')), request);
  assert.deepEqual(decodeBatch(request[2], false).envelopes.length, 4);
});

test('measure and the question for it are read', () => {
  assert.deepEqual(item('measure_request'), [1, [1, []], null, null, [], 0, null, true]);
  const [open, rest, , , , photosOpen, photosRest, partial] = item('measure');
  assert.deepEqual([open, rest], [[40, 18000], [360, 120000]]);
  assert.deepEqual([photosOpen, photosRest, partial], [[3, 600000], [20, 4000000], true]);
});

test('directory entries and bulletin are read', () => {
  const entries = item('directory_entries').map((bytes) => anchors.directoryEntry(bytes));
  assert.deepEqual(entries.map(([code]) => code), [1, 2, 3, 4, 5, 6, 8]);
  const [area, zone, unit, category, revocation, name, access] = entries.map(([, fields]) => fields);
  assert.deepEqual([area[1], area[3][0], area[3][1]], [3, 330105003058, ['长庆社区', 'Changqing']]);
  assert.deepEqual(area[3][2][0][0].slice(0, 4), [302700000, 1201500000, 0, 100000]);
  assert.deepEqual([zone[2][0], unit[2], unit[3]], [[area[0]], 5, area[2]]);
  assert.deepEqual([category[0], category[1], revocation[0].length], ['gas', 'safety', 16]);
  assert.deepEqual([name[1], access[0]], ['网格员甲', name[0]]);
  const bulletin = item('bulletin');
  assert.deepEqual(bulletin[0], recordOf(hashOf(item('envelope_report'))));
  assert.deepEqual(bulletin.slice(1, 5), [1, 'gas', 2, [302740000, 1201550000]]);
});

test('template of the directory is read', () => {
  const [code, [id, version, template]] = anchors.directoryEntry(golden('directory_template'));
  const { title, items } = JSON.parse(template.toString());
  assert.deepEqual([code, id, version, title.zh], [9, 'lane', 2, '消防通道']);
  assert.deepEqual(items.map(({ type, id: question }) => [type, question]), [['yes_no', 'clear']]);
});

test('answer with page and proof verifies', () => {
  const [version, , , expires, receipt, missing, cursors, streams, page, repair, heads, more, closed, sealed] =
    item('sync_response');
  assert.deepEqual([version, expires, missing, cursors, streams.length, more, closed],
    [1, 1762804700000, [], 2, 2, true, null]);
  checkReceipt(receipt);
  const [batch, packs, segments, proof] = page;
  const { certificates, envelopes, verdicts } = decodeBatch(batch, true);
  assert.deepEqual(verdicts.map(([status]) => status), [[0, []], [2, [4]]]);
  const lines = pageLines(envelopes, verdicts, segments);
  anchors.attestation(...proof.slice(0, 3), lines, proof[3]);
  assert.deepEqual(lines.map(([, , at]) => at.map(([, position]) => position)), [[7], [8], [11]]);
  assert.equal(decodePackBatch(packs[0], certificates, anchors)[0].entries.length, 4);
  assert.deepEqual(segments.map(([stream, first, , [kind]]) => [stream[0], first, kind]),
    [[2, 7, 2], [1, 0, 1], [6, 41, 2], [5, 3, 2]]);
  assert.equal(repair[0][1][0], 1);
  assert.deepEqual([heads.length, sealed[0][1].length], [16, 256]);
});

test('session comes to the same key and codes', () => {
  const [secret, hello, serverHello, proof, grant, key, body, ...rest] = item('session');
  const [session, code, answer, answerCode] = rest;
  const [versions, authority, ephemeral] = decode(hello);
  assert.deepEqual([versions, authority, ephemeral], [[1], anchors.authority, keyOf('x25519', secret).public]);
  const { said, signature, sealed, ephemeral: theirs } = readServerHello(anchors, hello, serverHello);
  const [carried, proven, byPhone] = decode(proof);
  assert.deepEqual([carried, proven], [sealed, certificate]);
  const t4 = transcript(hello, said, signature, sha256(certificate[0]));
  verify(facts.key, PURPOSE.sessionClient, anchors.authority, t4, byPhone);
  assert.deepEqual(channelKey(secret, theirs, t4), key);
  const granted = readGrant(key, grant);
  assert.deepEqual(granted.secrets.map(({ length }) => length), [32]);
  assert.equal(String(session), `${granted.id.toString('hex')}.1f`);
  const ours = requestMac(key, 0x1f, 'POST', '/v1/sync', body);
  assert.equal(ours.toString('hex'), String(code));
  assert.equal(answerMac(key, ours, answer).toString('hex'), String(answerCode));
});

test('messages of a meeting have their numbers and fields', () => {
  const messages = item('meeting_messages').map((bytes) => {
    assert.deepEqual(encode(decode(bytes)), bytes);
    return decode(bytes);
  });
  assert.deepEqual(messages.map(([number]) => number), [0, 1, 2, 3, 4, 5, 6, 7, 7, 16, 17, 17, 18]);
  assert.deepEqual(messages.map(({ length }) => length), [2, 2, 2, 5, 3, 1, 1, 2, 1, 4, 2, 2, 1]);
  const [, giveBack, bundle, lacks, more] = messages[3];
  assert.deepEqual(giveBack, [[], [], [], []]);
  const { certificates, envelopes } = decodeBatch(bundle, false);
  assert.deepEqual([certificates, envelopes], [[], []]);
  assert.deepEqual([lacks.length, more], [2, true]);
  assert.deepEqual([messages[9][3], messages[11][1].length], [65536, 0]);
});

test('code of a meeting names addresses and a network', () => {
  const [open, hotspot, unlocked] = item('meeting_code').map(readCode);
  const ip = [192, 168, 43, 1];
  assert.deepEqual(open.addresses.map(([at, port]) => [at.length, port]), [[4, 40123], [16, 40123]]);
  assert.deepEqual([...open.addresses[0][0]], ip);
  assert.deepEqual([open.network, hotspot.network, unlocked.network], [null, ['网格 7', '12345678'], ['a', '']]);
  assert.deepEqual(open.commitment, Buffer.alloc(16, 7));
});

test('parcel opens, and its tag follows from the device key and the courier', () => {
  const [server, authority, device, courier, tag, parcel, content] = item('parcel');
  assert.deepEqual(readParcel(server, authority, parcel), { content, size: 4096 });
  const maker = derive(device, 'onegrid.parcel.maker');
  assert.deepEqual(derive(maker, 'onegrid.parcel.tag', courier).subarray(0, 16), tag);
});

test('track has short points, a long one, and a gap', () => {
  const [time, lat, lon] = [1760000000, 3027413, 12015509];
  assert.deepEqual(readTrack(golden('track_part')), [
    [time, lat, lon, 1, false],
    [time + 5, lat + 4, lon - 3, 1, false],
    [time + 10, lat + 40, lon, 1, false],
    [time + 300, lat, lon, 5, true],
  ]);
});

test('codes of a walk are signed by the server and by the lead', () => {
  const [checkpoint, whole, short] = item('walk_codes');
  assert.deepEqual(readCheckpoint(checkpoint, anchors), { section: 'wulin-7', number: 3, printed: 1763000000000 });
  const [join, bare] = [whole, short].map((text) => readJoin(text, anchors));
  assert.deepEqual([join.minutes, join.lead], [10, facts.device]);
  assert.deepEqual([recordOf(hashOf(join.genesis)), bare.genesis], [join.record, null]);
});

test('digest is little-endian and sees the verdict', () => {
  const id = Buffer.alloc(16, 7);
  assert.equal(sumBytes(0x1ffn).toString('hex'), `ff01${'00'.repeat(14)}`);
  assert.notEqual(line(id, [[0, []], 5, 1]), line(id, [[2, [0]], 5, 1]));
});

test('other spellings of CBOR are refused', () => {
  for (const bytes of ['1817', '9f00ff', 'c000', 'f93c00', '0000', '61ff', '8201']) {
    assert.throws(() => decode(Buffer.from(bytes, 'hex')), /wire\.|encoded/, bytes);
  }
});

after(() => assert.deepEqual([...read].sort(), readdirSync(folder).sort(), 'every vector is read'));
