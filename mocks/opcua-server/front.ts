import { connect, type Socket } from 'node:net'
import type { Behaviour } from '../mock.ts'
import { TcpPort } from '../tcp.ts'

/** Part 6, 7.1.2.2: type (3), chunk (1), size (4); of a MSG then channel, token and sequence number (4 each). */
const header = { bytes: 8, size: 4, requestId: 20 }

/** The port in front of an engine: passes everything on, and disturbs the answers as it is told. */
export class Front {
  readonly port: TcpPort
  /** Our own ports towards the engine: by these it knows which sessions came this way. */
  readonly ways = new Set<number>()

  constructor(enginePort: () => number) {
    this.port = new TcpPort((client) => this.#join(client, enginePort()))
  }

  behave(behaviour: Behaviour): void {
    this.port.behave(behaviour)
  }

  #join(client: Socket, enginePort: number): void {
    const engine = connect({ port: enginePort, host: '127.0.0.1', noDelay: true })
    engine.on('connect', () => this.ways.add(engine.localPort as number))
    engine.on('error', () => engine.destroy())
    engine.on('close', () => client.end())
    client.on('close', () => engine.destroy())
    client.on('data', (bytes) => engine.write(bytes))
    const wrong = new OtherRequest()
    engine.on('data', (bytes) => {
      const told = this.port.behaviour.is === 'wrong-answer' ? wrong.change(bytes) : bytes
      this.port.inItsTime(() => this.port.answer(client, told))
    })
  }
}

/** Makes each whole answer in the clear one to another request; in an encrypted channel it breaks the signature. */
class OtherRequest {
  change(bytes: Buffer): Buffer {
    const changed = Buffer.from(bytes)
    for (let at = 0; at + header.bytes <= changed.length; ) {
      const size = changed.readUInt32LE(at + header.size)
      const isMessage = changed.toString('latin1', at, at + 3) === 'MSG'
      if (isMessage && at + header.requestId + 4 <= changed.length)
        changed.writeUInt32LE(
          (changed.readUInt32LE(at + header.requestId) + 7_777) >>> 0,
          at + header.requestId,
        )
      if (size < header.bytes) break
      at += size
    }
    return changed
  }
}
