// A client of tus that knows nothing of OneGrid uploads photos to the real server. Only the codes of the session are
// added to its requests.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer, connect } from 'node:net';
import { after, before, test } from 'node:test';
import * as tus from 'tus-js-client';
import { checkAnswer, fetchFile, idOf, pathOf, signed } from '../src/attachments.js';
import { Phone } from '../src/phone.js';
import { Session, enrol, readQr } from '../src/session.js';
import { Testbed } from './testbed.js';

const [ATTACH, JPEG, HAZARD, AREA, LEVEL_VILLAGE] = [33, 1, 1, 1, 3];
const ACCEPTED = [0, []];
let testbed, phone, session, village;

function villageOf({ directory }, code) {
  const areas = directory.filter(([kind]) => kind === AREA).map(([, fields]) => fields);
  const up = (area) => [...(area[2] ? up(areas.find(([id]) => id.equals(area[2]))) : []), area[0]];
  return up(areas.find(([, level, , version]) => level === LEVEL_VILLAGE && version[0] === code));
}

/// A clean photo of one grey block whose data has so many bytes.
function photo(length) {
  const segment = (marker, ...data) => [0xff, marker, (data.length + 2) >> 8, (data.length + 2) & 255, ...data];
  const code = [1, ...Array(15).fill(0), 0];
  const head = [
    0xff, 0xd8, ...segment(0xdb, 0, ...Array(64).fill(1)), ...segment(0xc0, 8, 0, 8, 0, 8, 1, 1, 0x11, 0),
    ...segment(0xc4, 0, ...code), ...segment(0xc4, 0x10, ...code), ...segment(0xda, 1, 1, 0, 0, 63, 0),
  ];
  const data = randomBytes(length).map((byte) => byte & 0x7f);
  return Buffer.concat([Buffer.from(head), data, Buffer.of(0xff, 0xd9)]);
}

/// Reports a hazard with the description of a photo; returns the path of its file.
async function describe(bytes) {
  const salt = randomBytes(16);
  const record = phone.report(HAZARD, village, { title: '照片' }, 1);
  phone.event(record, ATTACH, [idOf(salt, bytes), JPEG, bytes.length, salt, null, [8, 8]], 1);
  const verdicts = await phone.sync();
  assert.deepEqual(verdicts.map(([status]) => status), [ACCEPTED, ACCEPTED]);
  return pathOf(record, idOf(salt, bytes));
}

/// Uploads with the foreign client, through a port of this machine if one is given.
function upload(path, bytes, options = {}, through = session.address) {
  return new Promise((done, failed) => {
    const codes = new Map();
    const running = new tus.Upload(bytes, {
      endpoint: through + path,
      uploadSize: bytes.length,
      retryDelays: [0, 10, 10, 10, 10, 10, 10, 10, 10, 10],
      chunkSize: options.chunkSize ?? Infinity,
      onBeforeRequest(request) {
        const method = request.getMethod();
        const headers = {};
        for (const name of ['Upload-Length', 'Upload-Offset']) {
          const value = request.getHeader(name);
          if (value !== undefined) headers[name.toLowerCase()] = value;
        }
        // Node tells the length of a body that is absent.
        if (method === 'POST') headers['content-length'] = '0';
        if (method === 'PATCH') {
          const left = bytes.length - Number(headers['upload-offset']);
          headers['content-length'] = String(Math.min(left, options.chunkSize ?? Infinity));
        }
        const { own, code } = signed(session, method, path, headers);
        for (const [name, value] of Object.entries(own)) request.setHeader(name, value);
        codes.set(request, code);
      },
      onAfterResponse(request, response) {
        const status = response.getStatus();
        options.seen?.push(`${request.getMethod()} ${status}`);
        if (status < 300) checkAnswer(session, codes.get(request), status, (name) => response.getHeader(name));
      },
      onError: failed,
      onSuccess: () => done(running),
    });
    running.start();
  });
}

before(async () => {
  testbed = new Testbed();
  const { qr } = await testbed.ask('invite', { who: 'volunteer-1' });
  phone = new Phone(await enrol(readQr(qr), 'Node'));
  await phone.sync();
  village = villageOf(phone, 330105013003);
  session = await Session.open(phone);
});
after(() => testbed.end());

test('foreign client uploads a photo at once', async () => {
  const bytes = photo(300_000);
  const path = await describe(bytes);
  await upload(path, bytes);
  assert.deepEqual(await fetchFile(session, path), bytes);
  assert.deepEqual(await fetchFile(session, path, 'bytes=70-99'), bytes.subarray(70, 100));
});

test('foreign client uploads a photo in chunks', async () => {
  const bytes = photo(300_000);
  const path = await describe(bytes);
  const seen = [];
  await upload(path, bytes, { chunkSize: 64 * 1024, seen });
  assert.deepEqual(seen, ['POST 201', 'PATCH 204', 'PATCH 204', 'PATCH 204', 'PATCH 204', 'PATCH 204']);
  assert.deepEqual(await fetchFile(session, path), bytes);
});

test('foreign client resumes over a line that breaks', async () => {
  const bytes = photo(300_000);
  const path = await describe(bytes);
  const { hostname, port } = new URL(session.address);
  let connections = 0;
  const line = createServer((near) => {
    const far = connect(Number(port), hostname);
    let left = (connections += 1) > 6 ? Infinity : 60_000;
    const end = () => [near, far].forEach((socket) => socket.destroy());
    near.on('data', (part) => {
      if (left <= 0) return;
      far.write(part.subarray(0, left));
      left -= part.length;
      if (left <= 0) setImmediate(end);
    });
    far.on('data', (part) => near.write(part));
    for (const socket of [near, far]) socket.on('error', end).on('close', end);
  });
  await new Promise((listening) => line.listen(0, '127.0.0.1', listening));
  const seen = [];
  await upload(path, bytes, { seen }, `http://127.0.0.1:${line.address().port}`);
  line.close();
  assert.ok(seen.includes('HEAD 200'), `it asks for its offset: ${seen}`);
  assert.deepEqual(await fetchFile(session, path), bytes);
});

test('foreign client learns that other bytes are refused', async () => {
  const bytes = photo(5_000);
  const path = await describe(bytes);
  const other = Buffer.from(bytes);
  other[1_000] ^= 1;
  await assert.rejects(upload(path, other), (error) => error.originalResponse?.getStatus() === 460);
  await upload(path, bytes);
});
