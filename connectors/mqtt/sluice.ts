/** Bytes of a message besides its payload that are let through: topic, properties. */
const aroundMax = 8_192

/** Bytes that are no MQTT. */
export class NoMqtt extends Error {}

/**
 * Lets MQTT packets through and keeps large ones out: of a PUBLISH that is too large an empty one remains, with its
 * topic and identifier, so that it can be acknowledged when it has come whole, and doesn't come for ever. Holds at most
 * `aroundMax` bytes.
 */
export class Sluice {
  readonly #max: number
  readonly #isV5: boolean
  readonly #cut: (topic: string, bytes: number) => void
  /** Bytes of the packet under way that are let through, or thrown away. */
  #left = 0
  /** The packet under way is thrown away; this remains of it, once it is over: what is acknowledged has come whole. */
  #remains: { readonly packet: Buffer; readonly topic: string; readonly bytes: number } | null = null
  /** What came of a header, or of the beginning of a packet that is too large, so far. */
  #head = Buffer.alloc(0)

  constructor(maxPayload: number, version: 4 | 5, cut: (topic: string, bytes: number) => void) {
    this.#max = maxPayload + aroundMax
    this.#isV5 = version === 5
    this.#cut = cut
  }

  /** What remains of `bytes`. Throws `NoMqtt`. */
  pass(bytes: Buffer): Buffer[] {
    const out: Buffer[] = []
    let rest = bytes
    while (rest.length > 0) {
      if (this.#left > 0) {
        const part = rest.subarray(0, this.#left)
        if (!this.#remains) out.push(part)
        this.#left -= part.length
        rest = rest.subarray(part.length)
        if (this.#left === 0) this.#end(out)
        continue
      }
      const joined = this.#head.length === 0 ? rest : Buffer.concat([this.#head, rest])
      const through = this.#walk(joined)
      if (through > 0) out.push(joined.subarray(0, through))
      const beyond = joined.subarray(through)
      const taken = beyond.length === 0 ? 0 : this.#header(beyond, out)
      if (taken === 0) {
        // Not whole yet; it is small, so that it may be kept as a copy.
        this.#head = Buffer.from(beyond)
        return out
      }
      this.#head = Buffer.alloc(0)
      rest = beyond.subarray(taken)
    }
    return out
  }

  /** How many bytes are whole packets that fit: nearly always all. */
  #walk(bytes: Buffer): number {
    let at = 0
    for (;;) {
      const length = lengthAt(bytes, at + 1)
      if (!length || length.value > this.#max) return at
      const end = at + 1 + length.bytes + length.value
      if (end > bytes.length) return at
      at = end
    }
  }

  /** Takes in the beginning of a packet that is not whole or too large; 0: more is needed. */
  #header(bytes: Buffer, out: Buffer[]): number {
    const length = lengthAt(bytes, 1)
    if (!length) return 0
    const start = 1 + length.bytes
    if (length.value <= this.#max) {
      out.push(bytes.subarray(0, start))
      this.#left = length.value
      return start
    }
    const flags = bytes[0] as number
    if (flags >> 4 !== 3) throw new NoMqtt(`a packet of type ${flags >> 4} and ${length.value} bytes`)
    if (bytes.length < start + 2) return 0
    const topic = bytes.readUInt16BE(start)
    const head = 2 + topic + ((flags & 0b110) === 0 ? 0 : 2)
    if (topic > aroundMax - 16) throw new NoMqtt(`a topic of ${topic} bytes`)
    if (bytes.length < start + head) return 0
    this.#remains = {
      packet: emptied(flags, bytes.subarray(start, start + head), this.#isV5),
      topic: bytes.toString('utf8', start + 2, start + 2 + Math.min(topic, 200)),
      bytes: length.value,
    }
    this.#left = length.value - head
    return start + head
  }

  #end(out: Buffer[]): void {
    if (!this.#remains) return
    const { packet, topic, bytes } = this.#remains
    this.#remains = null
    this.#cut(topic, bytes)
    out.push(packet)
  }
}

const emptied = (flags: number, head: Buffer, isV5: boolean): Buffer => {
  const body = isV5 ? Buffer.concat([head, Buffer.from([0])]) : head
  const length = body.length < 128 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7]
  return Buffer.concat([Buffer.from([flags, ...length]), body])
}

/** The remaining length of a packet: seven bits a byte, four bytes at most (MQTT 3.1.1, 2.2.3); null: not whole yet. */
const lengthAt = (bytes: Buffer, from: number): { value: number; bytes: number } | null => {
  let value = 0
  for (let nth = 0; nth < 4; nth++) {
    const byte = bytes[from + nth]
    if (byte === undefined) return null
    value += (byte & 0x7f) << (7 * nth)
    if (byte < 0x80) return { value, bytes: nth + 1 }
  }
  throw new NoMqtt('a length that never ends')
}
