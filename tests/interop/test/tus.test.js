// A client of tus that knows nothing of OneGrid uploads photos to the real server. Only the codes of the session are
// added to its requests.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fetchFile, lackedOf } from '../src/attachments.js';
import { Testbed } from './testbed.js';
import { Reporter, overBreakingLine, photo, upload } from './uploads.js';

let testbed, reporter, session;

before(async () => {
  testbed = new Testbed();
  reporter = await Reporter.of(testbed);
  session = reporter.session;
});
after(() => testbed.end());

test('foreign client uploads a photo at once', async () => {
  const bytes = photo(300_000);
  const path = await reporter.describe(bytes);
  assert.deepEqual(await lackedOf(session, [path]), [0]);
  await upload(session, path, bytes);
  assert.deepEqual(await lackedOf(session, [path]), []);
  assert.deepEqual(await fetchFile(session, path), bytes);
  assert.deepEqual(await fetchFile(session, path, 'bytes=70-99'), bytes.subarray(70, 100));
});

test('foreign client uploads a photo in chunks', async () => {
  const bytes = photo(300_000);
  const path = await reporter.describe(bytes);
  const seen = [];
  await upload(session, path, bytes, { chunkSize: 64 * 1024, seen });
  assert.deepEqual(seen, ['POST 201', 'PATCH 204', 'PATCH 204', 'PATCH 204', 'PATCH 204', 'PATCH 204']);
  assert.deepEqual(await fetchFile(session, path), bytes);
});

test('foreign client resumes over a line that breaks', async () => {
  const bytes = photo(300_000);
  const path = await reporter.describe(bytes);
  const seen = [];
  await overBreakingLine(session.address, (through) => upload(session, path, bytes, { seen }, through));
  assert.ok(seen.includes('HEAD 200'), `it asks for its offset: ${seen}`);
  assert.deepEqual(await fetchFile(session, path), bytes);
});

test('foreign client learns that other bytes are refused', async () => {
  const bytes = photo(5_000);
  const path = await reporter.describe(bytes);
  const other = Buffer.from(bytes);
  other[1_000] ^= 1;
  await assert.rejects(upload(session, path, other), (error) => error.originalResponse?.getStatus() === 460);
  await upload(session, path, bytes);
});
