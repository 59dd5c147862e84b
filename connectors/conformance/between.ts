import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Random } from './random.ts'

/**
 * What happens to the answers of the peer on their way: noise (random bytes instead) · mutated (some bits flipped) ·
 * truncated (half of one, then the end) · dripping (a byte at a time) · doubled (each comes twice) · silent (none) ·
 * cut (the connection breaks when one is due) · flood (endless bytes instead).
 */
export const disturbances = [
  'noise',
  'mutated',
  'truncated',
  'dripping',
  'doubled',
  'silent',
  'cut',
  'flood',
] as const
export type Disturbance = (typeof disturbances)[number]

/** A flood ends here, bytes: more than anybody should take in. */
const floodMax = 48 * 1_048_576
const dripMs = 2

/** A line to a peer that can be disturbed; requests always pass, so that what acts does act. */
export class Between {
  disturbance: Disturbance | null = null
  readonly #sockets = new Set<Socket>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #server: Server
  readonly #random: Random
  #port = 0

  private constructor(peerPort: number, random: Random) {
    this.#random = random
    this.#server = createServer((client) => this.#join(client, peerPort))
  }

  static async to(peerPort: number, random: Random): Promise<Between> {
    const line = new Between(peerPort, random)
    await new Promise<void>((resolve) => line.#server.listen(0, '127.0.0.1', resolve))
    line.#port = (line.#server.address() as { port: number }).port
    return line
  }

  get port(): number {
    return this.#port
  }

  /** Connections that are open now, both sides counted. */
  get openSockets(): number {
    return this.#sockets.size
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #join(client: Socket, peerPort: number): void {
    const peer = connect({ port: peerPort, host: '127.0.0.1', noDelay: true })
    client.setNoDelay(true)
    for (const [one, other] of [
      [client, peer],
      [peer, client],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => one.destroy())
      one.on('close', () => {
        this.#sockets.delete(one)
        other.end()
      })
    }
    client.on('data', (bytes) => {
      if (peer.writable) peer.write(bytes)
    })
    peer.on('data', (bytes) => this.#answer(client, peer, bytes))
  }

  #answer(client: Socket, peer: Socket, bytes: Buffer): void {
    if (!client.writable) return
    switch (this.disturbance) {
      case null:
        client.write(bytes)
        return
      case 'noise':
        client.write(this.#random.bytes(1 + this.#random.below(300)))
        return
      case 'mutated':
        client.write(this.#mutated(bytes))
        return
      case 'truncated':
        client.end(bytes.subarray(0, bytes.length >> 1))
        peer.destroy()
        return
      case 'dripping':
        this.#drip(client, bytes)
        return
      case 'doubled':
        client.write(Buffer.concat([bytes, bytes]))
        return
      case 'silent':
        return
      case 'cut':
        client.resetAndDestroy()
        peer.destroy()
        return
      case 'flood':
        this.#flood(client)
    }
  }

  #mutated(bytes: Buffer): Buffer {
    const mutated = Buffer.from(bytes)
    for (let flips = 1 + this.#random.below(3); flips > 0; flips--) {
      const at = this.#random.below(mutated.length)
      mutated[at] = (mutated[at] ?? 0) ^ (1 << this.#random.below(8))
    }
    return mutated
  }

  #drip(client: Socket, bytes: Buffer): void {
    if (bytes.length === 0 || !client.writable) return
    client.write(bytes.subarray(0, 1))
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#drip(client, bytes.subarray(1))
    }, dripMs)
    this.#timers.add(timer)
  }

  #flood(client: Socket): void {
    const chunk = this.#random.bytes(65_536)
    let sent = 0
    const pour = () => {
      while (client.writable && sent < floodMax) {
        sent += chunk.length
        if (!client.write(chunk)) {
          client.once('drain', pour)
          return
        }
      }
    }
    pour()
  }
}
