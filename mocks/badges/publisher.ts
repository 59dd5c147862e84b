import { connect, type Socket } from 'node:net'
import { Packets } from '../mosquitto/deliveries.ts'

const AGAIN_MS = 50
const PATIENCE_MS = 10_000

export interface PublisherOptions {
  readonly port: number
  readonly username?: string
  readonly password?: string
}

export interface Publishing {
  /** 1: it is published when the broker has acknowledged it. 0: when it is sent. */
  readonly qos?: 0 | 1
  readonly retain?: boolean
}

/** Publishes over MQTT 3.1.1, written out by hand: it shares no line with who subscribes. Connects again by itself. */
export class Publisher {
  readonly #options: PublisherOptions
  #socket: Promise<Socket> | null = null
  #id = 0
  #closed = false
  readonly #waiting = new Map<number, () => void>()

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /** Resolves when the broker has it; tries again while there is no broker, as gateways do. */
  async publish(
    topic: string,
    payload: string | Buffer,
    { qos = 1, retain = false }: Publishing = {},
  ): Promise<void> {
    this.#id = (this.#id % 65_535) + 1
    const id = this.#id
    const packet = encodePublish(topic, Buffer.from(payload), { qos, retain, id })
    for (const end = Date.now() + PATIENCE_MS; ; ) {
      try {
        return await this.#send(packet, qos === 1 ? id : null)
      } catch (error) {
        if (this.#closed || Date.now() > end) throw error
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const socket = await this.#socket?.catch(() => null)
    if (!socket || socket.destroyed) return
    const gone = new Promise((resolve) => socket.once('close', resolve))
    socket.destroy()
    await gone
  }

  async #send(packet: Buffer, id: number | null): Promise<void> {
    this.#socket ??= this.#connect()
    const socket = await this.#socket
    await new Promise<void>((resolve, reject) => {
      const gone = () => reject(new Error('the broker is gone'))
      const done = () => {
        socket.off('close', gone)
        resolve()
      }
      socket.once('close', gone)
      if (id !== null) this.#waiting.set(id, done)
      socket.write(packet, () => {
        if (id === null) done()
      })
    })
  }

  #connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: this.#options.port, host: '127.0.0.1', noDelay: true })
      const packets = new Packets((type, _flags, body) => {
        if (type === 2 && body[1] === 0) resolve(socket)
        else if (type === 2) socket.destroy(new Error(`the broker refuses a badge: ${body[1]}`))
        else if (type === 4) this.#acknowledged(body.readUInt16BE(0))
      })
      socket.setMaxListeners(0)
      socket.on('connect', () => socket.write(encodeConnect(this.#options)))
      socket.on('data', (bytes) => packets.take(bytes))
      socket.on('error', reject)
      socket.on('close', () => {
        this.#socket = null
        reject(new Error('the broker is gone'))
      })
    })
  }

  #acknowledged(id: number): void {
    this.#waiting.get(id)?.()
    this.#waiting.delete(id)
  }
}

const text = (value: string | Buffer): Buffer => {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}

const packet = (first: number, body: Buffer): Buffer => {
  const length: number[] = []
  for (let rest = body.length; ; ) {
    const digit = rest % 128
    rest = (rest - digit) / 128
    length.push(rest > 0 ? digit | 0x80 : digit)
    if (rest === 0) break
  }
  return Buffer.concat([Buffer.from([first, ...length]), body])
}

/** CONNECT, MQTT 3.1.1, 3.1: a clean session without keepalive. */
const encodeConnect = ({ username, password }: PublisherOptions): Buffer => {
  const flags = 0x02 | (username === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40)
  const head = Buffer.concat([text('MQTT'), Buffer.from([4, flags, 0, 0])])
  const login = [username, password].flatMap((each) => (each === undefined ? [] : [text(each)]))
  return packet(0x10, Buffer.concat([head, text(''), ...login]))
}

/** PUBLISH, MQTT 3.1.1, 3.3. */
export const encodePublish = (
  topic: string,
  payload: Buffer,
  { qos, retain, id }: { qos: 0 | 1; retain: boolean; id: number },
): Buffer => {
  const first = 0x30 | (qos << 1) | (retain ? 1 : 0)
  const number = qos === 0 ? Buffer.alloc(0) : Buffer.from([id >> 8, id & 0xff])
  return packet(first, Buffer.concat([text(topic), number, payload]))
}
