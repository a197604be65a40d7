// Canonical CBOR (protocol.md, 1). Byte strings are Buffers, absent values null, large integers BigInt.

const DEPTH_MAX = 16;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const refuse = (code) => {
  throw new Error(code);
};

/// Makes a struct: an array whose absent fields at the end are not written.
export function struct(...fields) {
  while (fields.at(-1) === null) fields.pop();
  return fields;
}

export function encode(value) {
  if (value === null) return Buffer.of(0xf6);
  if (typeof value === 'boolean') return Buffer.of(value ? 0xf5 : 0xf4);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encode)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  const number = BigInt(value);
  return number < 0n ? head(1, -1n - number) : head(0, number);
}

function head(major, argument) {
  const bytes = Buffer.alloc(9);
  bytes.writeBigUInt64BE(BigInt(argument), 1);
  if (argument < 24) return Buffer.of((major << 5) | Number(argument));
  const power = [0, 1, 2, 3].find((n) => BigInt(argument) < 1n << BigInt(8 << n));
  bytes[8 - (1 << power)] = (major << 5) | (24 + power);
  return bytes.subarray(8 - (1 << power));
}

/// Reads exactly one canonical item and refuses everything else.
export function decode(bytes) {
  const reader = { bytes, at: 0 };
  const value = item(reader, 0);
  return reader.at === bytes.length ? value : refuse('wire.length');
}

function take(reader, length) {
  if (length > reader.bytes.length - reader.at) refuse('wire.length');
  return Buffer.from(reader.bytes.subarray(reader.at, (reader.at += length)));
}

function item(reader, depth) {
  const [first] = take(reader, 1);
  const [major, info] = [first >> 5, first & 31];
  if (major === 7 && info >= 20 && info <= 22) return [false, true, null][info - 20];
  if (major > 4) refuse('wire.type_not_allowed');
  const argument = readArgument(reader, info);
  if (major === 0) return small(argument);
  if (major === 1) return small(-1n - argument);
  const length = Number(argument);
  if (length > reader.bytes.length - reader.at) refuse('wire.length');
  if (major === 2) return take(reader, length);
  if (major === 3) return utf8.decode(take(reader, length));
  if (depth === DEPTH_MAX) refuse('wire.depth');
  return Array.from({ length }, () => item(reader, depth + 1));
}

function readArgument(reader, info) {
  if (info < 24) return BigInt(info);
  if (info > 27) refuse('wire.type_not_allowed');
  const value = BigInt(`0x${take(reader, 1 << (info - 24)).toString('hex')}`);
  const least = [24n, 1n << 8n, 1n << 16n, 1n << 32n][info - 24];
  return value < least ? refuse('wire.not_shortest') : value;
}

const small = (number) => (Number.isSafeInteger(Number(number)) ? Number(number) : number);
