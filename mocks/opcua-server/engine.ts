import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AddressSpace,
  MessageSecurityMode,
  type Namespace,
  OPCUACertificateManager,
  OPCUAServer,
  RegisterServerMethod,
  SecurityPolicy,
  type ServerSession,
  setErrorLogger,
  setWarningLogger,
} from 'node-opcua'

/** Sessions, subscriptions and connections at once: more than any test opens. */
const most = 2_000

export interface EngineOptions {
  /** Who may log in; without it only anonymous sessions are let in. */
  readonly user?: { readonly name: string; readonly password: string }
  /** false: certificates of clients that the server does not know are refused. */
  readonly trustsClients?: boolean
}

/**
 * node-opcua's server with an address space of our own. Loading the standard address space takes 0.3 s and 25 MB, so
 * several panels may share one engine; each has a port of its own in front of it.
 */
export class Engine {
  readonly #server: OPCUAServer
  readonly #pki: string
  readonly #certificates: OPCUACertificateManager
  /** By the port of the connection that they came over. */
  readonly #sessions = new Map<number, Set<ServerSession>>()
  readonly #panels = new Set<string>()

  private constructor(server: OPCUAServer, certificates: OPCUACertificateManager, pki: string) {
    this.#server = server
    this.#certificates = certificates
    this.#pki = pki
    server.on('create_session', (session) => {
      const port = session.channel?.remotePort
      if (port === undefined) return
      const sessions = this.#sessions.get(port) ?? new Set()
      this.#sessions.set(port, sessions.add(session))
      session.once('session_closed', () => {
        sessions.delete(session)
        if (sessions.size === 0) this.#sessions.delete(port)
      })
    })
  }

  static async start({ user, trustsClients = true }: EngineOptions = {}): Promise<Engine> {
    // What a broken client makes the stack say is of no use to a test.
    setErrorLogger(() => {})
    setWarningLogger(() => {})
    const pki = await mkdtemp(join(tmpdir(), 'duress-bridge-opcua-'))
    const certificates = new OPCUACertificateManager({
      rootFolder: pki,
      automaticallyAcceptUnknownCertificate: trustsClients,
    })
    const server = new OPCUAServer({
      port: 0,
      host: '127.0.0.1',
      hostname: '127.0.0.1',
      resourcePath: '/UA',
      serverCertificateManager: certificates,
      userCertificateManager: certificates,
      registerServerMethod: RegisterServerMethod.HIDDEN,
      disableDiscovery: true,
      securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
      securityPolicies: [
        SecurityPolicy.None,
        SecurityPolicy.Basic256Sha256,
        SecurityPolicy.Aes128_Sha256_RsaOaep,
        SecurityPolicy.Aes256_Sha256_RsaPss,
      ],
      allowAnonymous: user === undefined,
      ...(user && {
        userManager: {
          isValidUser: (name: string, password: string) => name === user.name && password === user.password,
        },
      }),
      maxConnectionsPerEndpoint: most,
      serverCapabilities: { maxSessions: most, maxSubscriptions: most, maxSubscriptionsPerSession: 10 },
    })
    await server.initialize()
    ;(server.engine.addressSpace as AddressSpace).installAlarmsAndConditionsService()
    await server.start()
    return new Engine(server, certificates, pki)
  }

  /** Where it listens itself; clients go to the port of a panel. */
  get port(): number {
    return this.#server.endpoints[0]?.port ?? 0
  }

  get addressSpace(): AddressSpace {
    return this.#server.engine.addressSpace as AddressSpace
  }

  get namespace(): Namespace {
    return this.addressSpace.getOwnNamespace()
  }

  /** DER, as it is given to clients. */
  get certificate(): Buffer {
    return this.#server.getCertificate()
  }

  /** A name that no other panel of this engine has. */
  claim(name: string): string {
    for (let nth = 1; ; nth++) {
      const claimed = nth === 1 ? name : `${name}-${nth}`
      if (this.#panels.has(claimed)) continue
      this.#panels.add(claimed)
      return claimed
    }
  }

  /** Sessions that came over a connection from one of these ports. */
  sessions(ports: Iterable<number>): ServerSession[] {
    return [...ports].flatMap((port) => [...(this.#sessions.get(port) ?? [])])
  }

  /** Forgets sessions with their subscriptions, as a restart does. */
  forget(sessions: readonly ServerSession[]): void {
    for (const session of sessions)
      if (session.status !== 'closed')
        this.#server.engine.closeSession(session.authenticationToken, true, 'Terminated')
  }

  async close(): Promise<void> {
    await this.#server.shutdown(0)
    await this.#certificates.dispose()
    await rm(this.#pki, { recursive: true, force: true })
  }
}
