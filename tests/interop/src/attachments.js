// Requests about photos and recordings (protocol.md, 14, “Attachments”).
import { createHash } from 'node:crypto';
import { decode, encode } from './cbor.js';
import { answerMac, requestMac } from './session.js';

const REQUEST = ['upload-length', 'upload-offset', 'content-length', 'range'];
const ANSWER = ['upload-offset', 'upload-length', 'content-range', 'x-og-generation'];

const lines = (names, value) =>
  names.filter((name) => value(name) != null).map((name) => `${name}:${value(name)}\n`).join('');

/// The bytes that codes cover in place of a body.
export const covered = {
  request: (headers) => Buffer.from(lines(REQUEST, (name) => headers[name])),
  answer: (status, value) => Buffer.from(`status:${status}\n${lines(ANSWER, value)}`),
};

/// Returns the id of a file.
export const idOf = (salt, bytes) =>
  createHash('sha256').update('onegrid.attachment.v1').update(salt).update(bytes).digest();

export const pathOf = (record, id) =>
  `/v1/attachments/${record.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}/${id.toString('hex')}`;

/// Returns the headers of the session for a request, and the code of the request. `bytes` are covered.
function signedOver(session, method, path, bytes) {
  const number = (session.requests += 1);
  const code = requestMac(session.key, number, method, path, bytes);
  const own = {
    'x-og-session': `${session.id.toString('hex')}.${number.toString(16)}`,
    'x-og-mac': code.toString('hex'),
  };
  return { own, code };
}

/// Returns the headers of the session for a request with these other headers, and the code of the request.
export const signed = (session, method, path, headers) =>
  signedOver(session, method, path, covered.request(headers));

/// Checks the code of a success. `value` returns the value of a header of the answer.
export function checkAnswer(session, code, status, value) {
  const theirs = Buffer.from(value('x-og-mac') ?? '', 'hex');
  if (!theirs.equals(answerMac(session.key, code, covered.answer(status, value)))) throw new Error('session.bad_mac');
}

/// Asks which of these files the server lacks; returns their places.
export async function lackedOf(session, paths) {
  const path = '/v1/attachments/needed';
  const bytesOf = (name) => Buffer.from(name.replaceAll('-', ''), 'hex');
  const names = paths.map((one) => one.split('/').slice(-2).map(bytesOf));
  const body = encode([names]);
  const { own, code } = signedOver(session, 'POST', path, body);
  const headers = { ...own, 'content-type': 'application/cbor' };
  const response = await fetch(session.address + path, { method: 'POST', headers, body });
  const answer = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(JSON.parse(answer).code);
  const theirs = Buffer.from(response.headers.get('x-og-mac') ?? '', 'hex');
  if (!theirs.equals(answerMac(session.key, code, answer))) throw new Error('session.bad_mac');
  return decode(answer)[1];
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
