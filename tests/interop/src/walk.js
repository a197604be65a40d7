// Walks: parts of tracks, printed checkpoints, codes to join by (protocol.md, 4).
import { decode, encode } from './cbor.js';
import { deviceId, isGood, PURPOSE, SERVER_KEY } from './trust.js';

const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/// Reads the base 32 behind a prefix.
function payload(text, prefix) {
  if (!text.startsWith(prefix)) throw new Error('walk.bad_code');
  const bits = [...text.slice(prefix.length)].map((symbol) => SYMBOLS.indexOf(symbol).toString(2).padStart(5, '0')).join('');
  return decode(Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2))));
}

/// Reads a part of a track: `[time, latitude, longitude, accuracy, gap before it]` for each point.
export function readTrack(bytes) {
  let at = 0;
  const byte = () => bytes[at++];
  const number = () => {
    let [value, place] = [0, 1];
    for (;;) {
      const next = byte();
      value += (next & 0x7f) * place;
      if (next < 0x80) return value;
      place *= 128;
    }
  };
  const unzigzag = (value) => (value % 2 ? -(value + 1) / 2 : value / 2);
  const signed = () => unzigzag(number());
  const [version, flags] = [byte(), byte()];
  if (version !== 1) throw new Error('track.newer');
  let accuracy = byte();
  let [time, lat, lon] = [number(), signed(), signed()];
  const [step, count] = [number(), number()];
  const points = [[time, lat, lon, accuracy, (flags & 4) !== 0]];
  while (points.length < count) {
    const head = byte();
    let [seconds, gap, north, east] = [step, false, unzigzag(head >> 4), unzigzag(head & 15)];
    if (head >= 0xf0) {
      if (head & 1) seconds = number();
      if (head & 2) accuracy = byte();
      gap = (head & 4) !== 0;
      [north, east] = [signed(), signed()];
    }
    [time, lat, lon] = [time + seconds, lat + north, lon + east];
    points.push([time, lat, lon, accuracy, gap]);
  }
  if (at !== bytes.length) throw new Error('track.damaged');
  return points;
}

/// Reads the text of a printed checkpoint and checks that the server printed it.
export function readCheckpoint(text, anchors) {
  const [mark, section, number, printed, generation, signature] = payload(text, 'ONEGRIDC1:');
  if (!mark.equals(anchors.authority.subarray(0, 8))) throw new Error('checkpoint.other_district');
  const said = encode([section, number, printed, generation]);
  const keys = anchors.vouching(SERVER_KEY.receipts, { time: printed, generation });
  if (!keys.some(({ key }) => isGood(key, PURPOSE.checkpoint, anchors.authority, said, signature))) {
    throw new Error('checkpoint.not_genuine');
  }
  return { section, number, printed };
}

/// Reads the text of a code to join by and checks its certificate and the signature of the lead.
export function readJoin(text, anchors) {
  const [mark, record, [made, minutes, signature], certificate, genesis = null] = payload(text, 'ONEGRIDJ1:');
  if (!mark.equals(anchors.authority.subarray(0, 8))) throw new Error('join.other_district');
  const lead = anchors.certificate(certificate);
  const said = encode([record, made, minutes]);
  if (!isGood(lead.key, PURPOSE.joinCode, anchors.authority, said, signature)) throw new Error('join.not_genuine');
  return { record, made, minutes, genesis, lead: deviceId(lead.key) };
}
