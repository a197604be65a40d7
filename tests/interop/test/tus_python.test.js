// A client of tus in Python that knows nothing of OneGrid uploads photos to the real server (tus.py).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fetchFile } from '../src/attachments.js';
import { Testbed } from './testbed.js';
import { Reporter, overBreakingLine, photo } from './uploads.js';

const python = process.env.TUS_PYTHON;
const skip = python ? false : 'TUS_PYTHON names no Python with aiotus';
const folder = mkdtempSync(join(tmpdir(), 'onegrid-aiotus-'));
let testbed, reporter, session;

/// Uploads with aiotus; returns its requests with their statuses.
async function upload(path, bytes, chunk, through = session.address) {
  const file = join(folder, 'photo.jpg');
  writeFileSync(file, bytes);
  const program = fileURLToPath(new URL('../tus.py', import.meta.url));
  const child = spawn(python, ['-B', program], { stdio: ['pipe', 'pipe', 'pipe'] });
  const out = { stdout: '', stderr: '' };
  for (const name of Object.keys(out)) child[name].setEncoding('utf8').on('data', (text) => (out[name] += text));
  const asked = { endpoint: through, path, file, chunk, number: session.requests };
  const secrets = { session: session.id.toString('hex'), key: session.key.toString('hex') };
  child.stdin.end(JSON.stringify({ ...asked, ...secrets }));
  const status = await new Promise((ended) => child.on('close', ended));
  // The numbers of this session are used up, however it ended.
  session.requests += 1_000;
  if (status !== 0) throw new Error(out.stderr);
  return JSON.parse(out.stdout).seen;
}

before(async () => {
  if (skip) return;
  testbed = new Testbed();
  reporter = await Reporter.of(testbed);
  session = reporter.session;
});
after(() => {
  rmSync(folder, { recursive: true });
  return testbed?.end();
});

test('aiotus uploads a photo in chunks', { skip }, async () => {
  const bytes = photo(300_000);
  const path = await reporter.describe(bytes);
  const seen = await upload(path, bytes, 128 * 1024);
  assert.deepEqual(seen, ['POST 201', 'HEAD 200', 'PATCH 204', 'PATCH 204', 'PATCH 204']);
  assert.deepEqual(await fetchFile(session, path), bytes);
});

test('aiotus resumes over a line that breaks', { skip }, async () => {
  const bytes = photo(300_000);
  const path = await reporter.describe(bytes);
  const send = (through) => upload(path, bytes, 1 << 20, through);
  const seen = await overBreakingLine(session.address, send);
  assert.ok(seen.filter((line) => line === 'HEAD 200').length > 2, `it asks for its offset: ${seen}`);
  assert.deepEqual(await fetchFile(session, path), bytes);
});

test('aiotus learns that other bytes are refused', { skip }, async () => {
  const bytes = photo(5_000);
  const path = await reporter.describe(bytes);
  const other = Buffer.from(bytes);
  other[1_000] ^= 1;
  await assert.rejects(upload(path, other, 1 << 20), /460/);
  assert.deepEqual((await upload(path, bytes, 1 << 20)).at(-1), 'PATCH 204');
});
