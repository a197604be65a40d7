// Meetings of two phones and sealed parcels (protocol.md, 13 and 15).
import { createDecipheriv } from 'node:crypto';
import { decode } from './cbor.js';
import { agree, deviceId, hmac, keyOf, sha256, u64 } from './trust.js';

const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const NONE = Buffer.alloc(0);
const text = (words) => Buffer.from(words);

/// Derives a key: D of the page.
export const derive = (key, label, data = NONE) => hmac(key, u64(label.length), text(label), data);

const step = (hash, message) => sha256(hash, u64(message.length), message);
const transcript = (label, ...messages) => messages.reduce(step, sha256(text(label)));

/// Decrypts the message of this number.
function open(key, number, sealed, associated = NONE) {
  const nonce = Buffer.concat([Buffer.alloc(4), u64(number)]);
  const cipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  cipher.setAuthTag(sealed.subarray(-16));
  cipher.setAAD(associated);
  return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);
}

/// Takes fields of these lengths off the front; the last part is the rest.
function split(bytes, ...lengths) {
  const parts = [];
  for (const length of lengths) {
    parts.push(bytes.subarray(0, length));
    bytes = bytes.subarray(length);
  }
  return [...parts, bytes];
}

/// Reads the code of a meeting.
export function readCode(code) {
  if (!code.startsWith('ONEGRIDM1:')) throw new Error('meeting.bad_code');
  const bits = [...code.slice(10)].map((symbol) => SYMBOLS.indexOf(symbol).toString(2).padStart(5, '0')).join('');
  const bytes = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const payload = bytes.subarray(0, -4);
  if (!sha256(text('onegrid.meeting.code'), payload).subarray(0, 4).equals(bytes.subarray(-4))) {
    throw new Error('meeting.bad_code');
  }
  const [commitment, addresses, network = null] = decode(payload);
  return { commitment, addresses, network };
}

/// Opens a parcel with the secret key of the server.
export function readParcel(secret, authority, bytes) {
  const [version, id, theirs, sealed] = decode(bytes);
  const ours = keyOf('x25519', secret).public;
  if (version !== 1 || !id.equals(deviceId(ours))) throw new Error('parcel.unknown_key');
  const said = transcript('onegrid.parcel.v1', authority, ours, theirs);
  const key = hmac(agree(secret, theirs), text('onegrid.channel.v1'), said);
  const padded = open(key, 0, sealed, Buffer.concat([text('onegrid.parcel.v1'), authority, id]));
  const [length, rest] = split(padded, 4);
  const [content, zeros] = split(rest, length.readUInt32BE());
  if (zeros.some((byte) => byte !== 0)) throw new Error('parcel.malformed');
  return { content, size: padded.length };
}
