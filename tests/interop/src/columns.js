// Blocks of columns (protocol.md, 10). One class reads and writes: a reader returns what it reads and ignores
// the value, a writer writes the value and returns it. So a layout that is stated once serves both.

const damaged = () => {
  throw new Error('wire.batch');
};

export class Columns {
  /// Makes columns to be written.
  static writer(count) {
    return Object.assign(new Columns(), { columns: Array.from({ length: count }, () => []) });
  }

  /// Reads columns that fill the bytes exactly.
  static reader(bytes, count) {
    const whole = Object.assign(new Columns(), { columns: [{ bytes, at: 0 }], reads: true });
    const lengths = Array.from({ length: count }, () => whole.uint(0));
    const columns = lengths.map((length) => ({ bytes: whole.raw(0, length), at: 0 }));
    whole.end();
    return Object.assign(whole, { columns });
  }

  left(column) {
    const { bytes, at } = this.columns[column];
    return bytes.length - at;
  }

  /// Reads or writes this many bytes; a writer writes all of the value.
  raw(column, length, value) {
    const open = this.columns[column];
    if (!this.reads) open.push(Buffer.from(value));
    if (!this.reads) return value;
    if (length > this.left(column)) damaged();
    open.at += length;
    return Buffer.from(open.bytes.subarray(open.at - length, open.at));
  }

  byte(column, value) {
    return this.raw(column, 1, [value])[0];
  }

  /// Reads or writes a number of up to 64 bits as BigInt.
  wide(column, value) {
    let rest = value;
    if (!this.reads) for (; rest > 0x7fn; rest >>= 7n) this.byte(column, Number(rest & 0x7fn) | 0x80);
    if (!this.reads) return this.byte(column, Number(rest)) && value;
    for (let [shift, number] = [0n, 0n]; ; shift += 7n) {
      const byte = this.byte(column);
      number |= BigInt(byte & 0x7f) << shift;
      if ((byte === 0 && shift > 0n) || number >= 1n << 64n) damaged();
      if (byte < 0x80) return number;
    }
  }

  uint(column, value) {
    const number = this.wide(column, this.reads || BigInt(value));
    return this.reads ? (number > Number.MAX_SAFE_INTEGER ? damaged() : Number(number)) : value;
  }

  /// Reads or writes the length, then the bytes.
  sized(lengths, column, value) {
    return this.raw(column, this.uint(lengths, value?.length), value);
  }

  delta(column, base, value) {
    const difference = this.reads ? 0n : BigInt.asIntN(64, BigInt(value) - BigInt(base));
    const zigzag = this.wide(column, BigInt.asUintN(64, (difference << 1n) ^ (difference >> 63n)));
    if (!this.reads) return value;
    return Number(BigInt.asIntN(64, BigInt(base) + ((zigzag >> 1n) ^ -(zigzag & 1n))));
  }

  /// Reads or writes a list after its count.
  list(column, one, value) {
    const length = this.uint(column, value?.length);
    return Array.from({ length }, (_, index) => one(value?.[index], index));
  }

  /// Returns the bytes of a writer.
  bytes() {
    const whole = this.columns.map((column) => Buffer.concat(column));
    const lengths = Columns.writer(1);
    whole.forEach((column) => lengths.uint(0, column.length));
    return Buffer.concat([...lengths.columns[0], ...whole]);
  }

  /// Checks that a reader has read everything.
  end() {
    this.columns.forEach((_, column) => this.left(column) > 0 && damaged());
  }
}
