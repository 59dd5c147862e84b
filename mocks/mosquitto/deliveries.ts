/** Packet types of MQTT (3.1.1, 2.2.1). */
const PUBLISH = 3
const PUBACK = 4

/** What the broker has delivered over the line with QoS 1, and what of it was acknowledged. */
export class Deliveries {
  delivered = 0
  acknowledged = 0

  /** Watches one connection. */
  watch(): { fromBroker(bytes: Buffer): void; fromClient(bytes: Buffer): void } {
    const open = new Set<number>()
    const broker = new Packets((type, flags, body) => {
      if (type !== PUBLISH || (flags & 0b110) === 0) return
      const topic = body.readUInt16BE(0)
      this.delivered++
      open.add(body.readUInt16BE(2 + topic))
    })
    const client = new Packets((type, _flags, body) => {
      if (type === PUBACK && open.delete(body.readUInt16BE(0))) this.acknowledged++
    })
    return { fromBroker: (bytes) => broker.take(bytes), fromClient: (bytes) => client.take(bytes) }
  }
}

/** Cuts a stream into MQTT packets, until it is none: behind TLS nothing can be seen. */
export class Packets {
  #rest: Buffer = Buffer.alloc(0)
  #isDeaf = false
  readonly #packet: (type: number, flags: number, body: Buffer) => void

  constructor(packet: (type: number, flags: number, body: Buffer) => void) {
    this.#packet = packet
  }

  take(bytes: Buffer): void {
    if (this.#isDeaf) return
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    for (;;) {
      let length = 0
      let at = 1
      for (let shift = 0; ; shift += 7) {
        const byte = this.#rest[at++]
        if (byte === undefined) return
        // The length has four bytes at most (3.1.1, 2.2.3).
        this.#isDeaf = shift === 21 && byte >= 0x80
        if (this.#isDeaf) return
        length |= (byte & 0x7f) << shift
        if (byte < 0x80) break
      }
      if (this.#rest.length < at + length) return
      const first = this.#rest[0] as number
      this.#packet(first >> 4, first & 0xf, this.#rest.subarray(at, at + length))
      this.#rest = this.#rest.subarray(at + length)
    }
  }
}
