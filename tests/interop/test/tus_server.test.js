// Uploads to a tus server of other authors that stands behind the session of the protocol (tus_server.mjs).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fetchFile, idOf, lackedOf, pathOf } from '../src/attachments.js';
import { Phone } from '../src/phone.js';
import { Session, enrol, readQr } from '../src/session.js';
import { overBreakingLine, photo, report, upload } from './uploads.js';

const folder = mkdtempSync(join(tmpdir(), 'onegrid-tus-'));
let child, identity, session;

const newPath = (bytes) => pathOf(randomBytes(16).toString('hex'), idOf(randomBytes(16), bytes));

/// The bytes that the server has of a file.
const kept = (path) => readFileSync(join(folder, path.split('/').slice(-2).join('_')));

before(async () => {
  const program = fileURLToPath(new URL('../tus_server.mjs', import.meta.url));
  child = spawn(process.execPath, [program, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await new Promise((read) => createInterface({ input: child.stdout }).once('line', (...all) => read(all)));
  identity = await enrol(readQr(JSON.parse(line).qr), 'Node');
  session = await Session.open(identity);
});
after(async () => {
  child.stdin.end();
  await new Promise((ended) => child.on('close', ended));
  rmSync(folder, { recursive: true });
});

test('foreign server takes a photo under the session', async () => {
  const bytes = photo(300_000);
  const path = newPath(bytes);
  const seen = [];
  await upload(session, path, bytes, { chunkSize: 128 * 1024, seen });
  assert.deepEqual(seen, ['POST 201', 'PATCH 204', 'PATCH 204', 'PATCH 204']);
  assert.deepEqual(kept(path), bytes);
  assert.deepEqual(await fetchFile(session, path), bytes);
  // The upload is found again. This client begins at 0 all the same, is refused, and then asks.
  await upload(session, path, bytes, { seen });
  assert.deepEqual([seen[4], seen.at(-1)], ['POST 201', 'HEAD 200']);
});

test('foreign server continues after a line that breaks', async () => {
  const bytes = photo(300_000);
  const path = newPath(bytes);
  const seen = [];
  await overBreakingLine(session.address, (through) => upload(session, path, bytes, { seen }, through));
  assert.ok(seen.includes('HEAD 200'), `it is asked for its offset: ${seen}`);
  assert.deepEqual(kept(path), bytes);
});

test('foreign server takes a description and then its photo', async () => {
  const phone = new Phone(identity);
  const bytes = photo(500);
  const place = Array.from({ length: 3 }, () => randomBytes(16));
  const path = await report(phone, place, bytes);
  const needed = () => lackedOf(phone.session, [path]);
  assert.deepEqual(await needed(), [0]);
  await upload(phone.session, path, bytes);
  assert.deepEqual(await needed(), []);
  assert.deepEqual(kept(path), bytes);
});

test('foreign server refuses a request of another key', async () => {
  const bytes = photo(500);
  const stranger = { ...session, key: Buffer.alloc(32) };
  const refused = (error) => error.originalResponse?.getStatus() === 401;
  await assert.rejects(upload(stranger, newPath(bytes), bytes), refused);
});
