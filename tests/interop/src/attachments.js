// Requests about photos and recordings (protocol.md, 14, “Attachments”).
import { createHash } from 'node:crypto';
import { answerMac, requestMac } from './session.js';

const REQUEST = ['upload-length', 'upload-offset', 'content-length', 'range'];
const ANSWER = ['upload-offset', 'upload-length', 'content-range', 'x-og-generation'];

const lines = (names, value) =>
  names.filter((name) => value(name) != null).map((name) => `${name}:${value(name)}\n`).join('');

/// Returns the id of a file.
export const idOf = (salt, bytes) =>
  createHash('sha256').update('onegrid.attachment.v1').update(salt).update(bytes).digest();

export const pathOf = (record, id) =>
  `/v1/attachments/${record.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}/${id.toString('hex')}`;

/// Returns the headers of the session for a request with these other headers, and the code of the request.
export function signed(session, method, path, headers) {
  const number = (session.requests += 1);
  const covered = Buffer.from(lines(REQUEST, (name) => headers[name]));
  const code = requestMac(session.key, number, method, path, covered);
  const own = {
    'x-og-session': `${session.id.toString('hex')}.${number.toString(16)}`,
    'x-og-mac': code.toString('hex'),
  };
  return { own, code };
}

/// Checks the code of a success. `value` returns the value of a header of the answer.
export function checkAnswer(session, code, status, value) {
  const covered = Buffer.from(`status:${status}\n${lines(ANSWER, value)}`);
  const theirs = Buffer.from(value('x-og-mac') ?? '', 'hex');
  if (!theirs.equals(answerMac(session.key, code, covered))) throw new Error('session.bad_mac');
}

/// Fetches a file or a part of it.
export async function fetchFile(session, path, range) {
  const headers = range ? { range } : {};
  const { own, code } = signed(session, 'GET', path, headers);
  const response = await fetch(session.address + path, { headers: { ...headers, ...own } });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(JSON.parse(bytes).code);
  checkAnswer(session, code, response.status, (name) => response.headers.get(name));
  return bytes;
}
