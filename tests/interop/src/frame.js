// Frames (protocol.md, 9).
import { readFileSync } from 'node:fs';
import * as zstd from '@bokuweb/zstd-wasm';
import { decode, encode } from './cbor.js';

const LIMITS = { inflated: 32 << 20, ratio: 64, free: 256 << 10 };
const dictionary = readFileSync(new URL('../../../core/src/wire/dictionary.bin', import.meta.url));
await zstd.init();

/// Encodes a message without compression, which every receiver accepts.
export const encodeFrame = (message) => Buffer.concat([Buffer.of(1, 2), encode(message)]);

export function decodeFrame(bytes) {
  const [version, form] = bytes;
  const payload = bytes.subarray(2);
  if (version !== 1 || form > 2) throw new Error('wire.newer');
  if (form === 2) return decode(payload);
  const size = contentSize(payload);
  if (size > Math.min(LIMITS.inflated, payload.length * LIMITS.ratio + LIMITS.free)) {
    throw new Error('wire.inflates');
  }
  const context = zstd.createDCtx();
  const options = { defaultHeapSize: size };
  const plain = form === 0
    ? zstd.decompress(payload, options)
    : zstd.decompressUsingDict(context, payload, dictionary, options);
  zstd.freeDCtx(context);
  if (plain.length !== size) throw new Error('wire.damaged');
  return decode(Buffer.from(plain));
}

/// Returns the size that a zstd frame declares (RFC 8878, 3.1.1.1).
function contentSize(frame) {
  const descriptor = frame[4];
  const single = (descriptor >> 5) & 1;
  const bytes = [single, 2, 4, 8][descriptor >> 6];
  if (frame.readUInt32LE(0) !== 0xfd2fb528 || bytes === 0) throw new Error('wire.damaged');
  const at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3];
  if (bytes === 8) return Number(frame.readBigUInt64LE(at));
  return frame.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
}
