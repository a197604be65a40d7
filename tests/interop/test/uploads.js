// Photos, lines that break, and tus-js-client with the codes of the session.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer, connect } from 'node:net';
import * as tus from 'tus-js-client';
import { checkAnswer, idOf, pathOf, signed } from '../src/attachments.js';
import { Phone } from '../src/phone.js';
import { Session, enrol, readQr } from '../src/session.js';

const [ATTACH, JPEG, HAZARD, AREA, LEVEL_VILLAGE] = [33, 1, 1, 1, 3];
const ACCEPTED = [0, []];

function villageOf({ directory }, code) {
  const areas = directory.filter(([kind]) => kind === AREA).map(([, fields]) => fields);
  const up = (area) => [...(area[2] ? up(areas.find(([id]) => id.equals(area[2]))) : []), area[0]];
  return up(areas.find(([, level, , version]) => level === LEVEL_VILLAGE && version[0] === code));
}

/// A clean photo of one grey block whose data has so many bytes.
export function photo(length) {
  const segment = (marker, ...data) => [0xff, marker, (data.length + 2) >> 8, (data.length + 2) & 255, ...data];
  const code = [1, ...Array(15).fill(0), 0];
  const head = [
    0xff, 0xd8, ...segment(0xdb, 0, ...Array(64).fill(1)), ...segment(0xc0, 8, 0, 8, 0, 8, 1, 1, 0x11, 0),
    ...segment(0xc4, 0, ...code), ...segment(0xc4, 0x10, ...code), ...segment(0xda, 1, 1, 0, 0, 63, 0),
  ];
  const data = randomBytes(length).map((byte) => byte & 0x7f);
  return Buffer.concat([Buffer.from(head), data, Buffer.of(0xff, 0xd9)]);
}

/// A phone of a volunteer with an open session.
export class Reporter {
  static async of(testbed) {
    const { qr } = await testbed.ask('invite', { who: 'volunteer-1' });
    const phone = new Phone(await enrol(readQr(qr), 'Node'));
    await phone.sync();
    return Object.assign(new Reporter(), { phone, session: await Session.open(phone) });
  }

  /// Reports a hazard with the description of a photo; returns the path of its file.
  describe(bytes) {
    return report(this.phone, villageOf(this.phone, 330105013003), bytes);
  }
}

/// Reports a hazard in a village with the description of a photo; returns the path of its file.
export async function report(phone, village, bytes) {
  const salt = randomBytes(16);
  const record = phone.report(HAZARD, village, { title: '照片' }, 1);
  phone.event(record, ATTACH, [idOf(salt, bytes), JPEG, bytes.length, salt, null, [8, 8]], 1);
  const verdicts = await phone.sync();
  assert.deepEqual(verdicts.map(([status]) => status), [ACCEPTED, ACCEPTED]);
  return pathOf(record, idOf(salt, bytes));
}

/// Runs work over a line whose first connections break after so many bytes from the near end.
export async function overBreakingLine(address, work, breaks = 6, bytes = 60_000) {
  const { hostname, port } = new URL(address);
  let connections = 0;
  const line = createServer((near) => {
    const far = connect(Number(port), hostname);
    let left = (connections += 1) > breaks ? Infinity : bytes;
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
  try {
    return await work(`http://127.0.0.1:${line.address().port}`);
  } finally {
    line.close();
  }
}

/// Uploads with tus-js-client, through another address if one is given.
export function upload(session, path, bytes, options = {}, through = session.address) {
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
        if (status >= 300) return;
        checkAnswer(session, codes.get(request), status, (name) => response.getHeader(name));
        // A receipt is an offset equal to the length.
        assert.equal(response.getHeader('upload-length'), String(bytes.length));
      },
      onError: failed,
      onSuccess: () => done(running),
    });
    running.start();
  });
}
