import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Behaviour, Journal, type Mock } from '../mock.ts'
import { TcpPort } from '../tcp.ts'
import { Deliveries } from './deliveries.ts'

/** How long the broker may take to start or to stop. */
const PATIENCE_MS = 10_000
const AGAIN_MS = 20

export interface MosquittoOptions {
  /** Of the line to the broker; free by default. */
  readonly port?: number
  /** Nobody gets in without; further lines go into the password file as `mosquitto_passwd` writes them. */
  readonly login?: { readonly username: string; readonly passwordFile: string }
  /** PEM files: the broker then speaks TLS, and asks clients for a certificate of `ca` where it is given. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string }
  /** Further lines of mosquitto.conf. */
  readonly lines?: readonly string[]
}

/**
 * A real Mosquitto with a line before it that can be disturbed: clients under test take `port`, badges and whoever must
 * get through take `brokerPort`. Sessions and messages survive a restart, as in a hospital.
 */
export class Mosquitto implements Mock {
  readonly host = '127.0.0.1'
  readonly journal = new Journal()
  readonly deliveries = new Deliveries()
  readonly #options: MosquittoOptions
  readonly #line = new TcpPort((socket) => this.#join(socket))
  #folder = ''
  #brokerPort = 0
  #process: ChildProcess | null = null

  constructor(options: MosquittoOptions) {
    this.#options = options
  }

  get port(): number {
    return this.#line.port
  }

  /** The broker itself, past the line. */
  get brokerPort(): number {
    return this.#brokerPort
  }

  /** Connections over the line that are open now. */
  get openSockets(): number {
    return this.#line.sockets.size
  }

  async start(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), 'mosquitto-'))
    this.#brokerPort = await freePort()
    await writeFile(join(this.#folder, 'mosquitto.conf'), this.#config())
    await this.startBroker()
    await this.#line.open(this.#options.port)
  }

  #config(): string {
    const { login, tls, lines = [] } = this.#options
    return [
      `listener ${this.#brokerPort} 127.0.0.1`,
      'persistence true',
      `persistence_location ${this.#folder}/`,
      // Each change is written in the next turn, so that a killed broker still has all but the last.
      'autosave_on_changes true',
      'autosave_interval 1',
      'max_queued_messages 0',
      'log_type none',
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      ...(login ? [`password_file ${login.passwordFile}`] : ['allow_anonymous true']),
      ...(tls ? [`certfile ${tls.cert}`, `keyfile ${tls.key}`] : []),
      ...(tls?.ca ? [`cafile ${tls.ca}`, 'require_certificate true', 'use_identity_as_username true'] : []),
      ...lines,
      '',
    ].join('\n')
  }

  /** Slow, half-open, garbage and wrong answers concern what the broker says over the line; it hears all. */
  behave(behaviour: Behaviour): void {
    this.#line.behave(behaviour)
  }

  /** The broker is stopped, is away for so long, and started again; the line goes with it. */
  async reboot(awayMs: number): Promise<void> {
    await this.stopBroker()
    await this.#line.away(awayMs)
    await this.startBroker()
  }

  /** The line is cut for so long, while the broker goes on: nothing gets through, and nobody is told. */
  async cut(ms: number): Promise<void> {
    this.#line.behave({ is: 'refusing' })
    await new Promise((resolve) => setTimeout(resolve, ms))
    this.#line.behave({ is: 'normal' })
    // The line listens again a moment after it is told to.
    while (!(await answers(this.port))) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }

  async startBroker(): Promise<void> {
    const broker = spawn('mosquitto', ['-c', join(this.#folder, 'mosquitto.conf')], {
      stdio: 'ignore',
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
    })
    this.#process = broker
    let failure: string | null = null
    broker.on('error', (error) => {
      failure = error.message
    })
    for (const end = Date.now() + PATIENCE_MS; !(await answers(this.#brokerPort)); ) {
      failure ??= broker.exitCode === null ? null : `it ended with ${broker.exitCode}`
      if (failure !== null || Date.now() > end)
        throw new Error(`mosquitto did not start: ${failure ?? 'it does not listen'}`)
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }

  /** Stops it in order, or as a power cut does. */
  async stopBroker(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const broker = this.#process
    this.#process = null
    if (!broker || broker.exitCode !== null || broker.signalCode !== null) return
    const gone = new Promise<void>((resolve) => broker.once('exit', () => resolve()))
    const last = setTimeout(() => broker.kill('SIGKILL'), PATIENCE_MS)
    broker.kill(signal)
    await gone
    clearTimeout(last)
  }

  async close(): Promise<void> {
    await this.#line.close()
    await this.stopBroker()
    await rm(this.#folder, { recursive: true, force: true })
  }

  #join(client: Socket): void {
    const broker = connect({ port: this.#brokerPort, host: this.host, noDelay: true })
    const watched = this.#options.tls ? null : this.deliveries.watch()
    broker.on('error', () => broker.destroy())
    // What the broker said last still gets through.
    broker.on('close', () => client.destroySoon())
    client.on('close', () => broker.destroy())
    client.on('data', (bytes) => {
      watched?.fromClient(bytes)
      if (broker.writable) broker.write(bytes)
    })
    broker.on('data', (bytes) =>
      this.#line.inItsTime(() => {
        if (this.#line.behaviour.is === 'normal' || this.#line.behaviour.is === 'slow')
          watched?.fromBroker(bytes)
        this.#line.answer(client, this.#line.behaviour.is === 'wrong-answer' ? WRONG : bytes)
      }),
    )
  }
}

/** An UNSUBACK for what nobody has asked. */
const WRONG = Buffer.from([0xb0, 2, 0x7f, 0x7f])

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      resolve(true)
      socket.destroy()
    })
  })

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

/** Starts a broker and the line to it; rejects when there is no mosquitto. */
export const startMosquitto = async (options: MosquittoOptions = {}): Promise<Mosquitto> => {
  const mosquitto = new Mosquitto(options)
  try {
    await mosquitto.start()
    return mosquitto
  } catch (error) {
    await mosquitto.close()
    throw error
  }
}
