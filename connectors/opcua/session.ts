import { constants, publicEncrypt, randomBytes, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import {
  ActivateSessionRequest,
  type ActivateSessionResponse,
  AnonymousIdentityToken,
  ApplicationType,
  CreateSessionRequest,
  type CreateSessionResponse,
  computeSignature,
  type EndpointDescription,
  fromURI,
  getCryptoFactory,
  MessageSecurityMode,
  type NodeId,
  SecurityPolicy,
  UserNameIdentityToken,
  UserTokenType,
  verifySignature,
  X509IdentityToken,
} from 'node-opcua'
import type { Context } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Channel, type Secured } from './channel.ts'
import type { Config } from './index.ts'
import { type Identity, identityIn, identityOf } from './pki.ts'
import { endpointsOf, leafOf, mustBeTrusted } from './trust.ts'

/** A session of ours that nobody closed ends by itself, with its subscriptions, ms: soon, but not during a hiccup. */
const sessionLeastMs = 10_000
/** Part 4, 5.6.2: at least so long, bytes. */
const nonceBytes = 32

type Request = Parameters<Channel['ask']>[0]

/** One session on one channel. */
export class Session {
  readonly #channel: Channel
  readonly #timeoutMs: number
  #token: NodeId | null = null

  private constructor(channel: Channel, timeoutMs: number) {
    this.#channel = channel
    this.#timeoutMs = timeoutMs
  }

  /** Connects, proves the server's certificate, logs in. Rejects with a BridgeError; nothing is left then. */
  static async open(config: Config, ctx: Context): Promise<Session> {
    const password = config.user && 'password' in config.user ? await ctx.secret(config.user.password) : null
    const { channel, endpoint, identity } = await dial(config, ctx)
    const session = new Session(channel, config.timeout)
    try {
      await session.#login(config, endpoint, identity, password)
      return session
    } catch (error) {
      await channel.close(session.#token)
      throw error
    }
  }

  get lost(): Promise<BridgeError> {
    return this.#channel.lost
  }

  get isOpen(): boolean {
    return this.#channel.isOpen
  }

  get why(): BridgeError | null {
    return this.#channel.why
  }

  /** One request and its answer, see Channel.ask; `limitMs` null waits for ever. */
  ask<Answer>(
    request: Request,
    what: string,
    how: { limitMs?: number | null; signal?: AbortSignal } = {},
  ): Promise<Answer> {
    if (this.#token) request.requestHeader.authenticationToken = this.#token
    const { limitMs = this.#timeoutMs, ...rest } = how
    return this.#channel.ask(request, what, { limitMs, ...rest })
  }

  /** Gives it up: at once where the server is silent, else after telling it, so that it keeps no subscription for us. */
  leave(why: BridgeError): void {
    if (why.code === 'TIMEOUT') this.#channel.drop(why)
    else this.#channel.close(this.#token, why)
  }

  close(): Promise<void> {
    return this.#channel.close(this.#token)
  }

  async #login(
    config: Config,
    endpoint: EndpointDescription,
    identity: Identity | null,
    password: string | null,
  ): Promise<void> {
    const clientNonce = randomBytes(nonceBytes)
    const created = await this.ask<CreateSessionResponse>(
      new CreateSessionRequest({
        ...(identity && { clientCertificate: identity.certificate }),
        clientDescription: {
          applicationName: { text: 'duress-bridge' },
          applicationType: ApplicationType.Client,
          applicationUri: identity?.applicationUri ?? 'urn:duress-bridge',
          productUri: 'urn:duress-bridge',
        },
        clientNonce,
        endpointUrl: config.url,
        requestedSessionTimeout: Math.max(sessionLeastMs, config.timeout * 5),
        sessionName: 'duress-bridge',
      }),
      'making a session',
    )
    this.#token = created.authenticationToken
    const policy = policyOf(config)
    if (identity) mustBeTheSame(created, endpoint, identity, clientNonce, policy)
    const { serverNonce } = created
    const signature =
      identity && computeSignature(leafOf(endpoint), serverNonce, { hidden: identity.key }, policy)
    const request = new ActivateSessionRequest({
      ...(await userOf(config, endpoint, password, { serverNonce, policy, secret: isSecret(config) })),
      ...(signature && { clientSignature: signature }),
    })
    await this.ask<ActivateSessionResponse>(request, 'logging in')
  }
}

const isSecret = ({ security }: Config): boolean =>
  security.policy !== 'None' && security.mode === 'SignAndEncrypt'

const policyOf = ({ security }: Config): SecurityPolicy => SecurityPolicy[security.policy]

/** A channel to the endpoint that the config asks for; the certificate of its server is proven. */
const dial = async (
  config: Config,
  ctx: Context,
): Promise<{ channel: Channel; endpoint: EndpointDescription; identity: Identity | null }> => {
  const { url, timeout, security } = config
  const open = (secured: Secured | null) => Channel.open(url, secured, timeout, ctx.clock, ctx.signal)
  const mode = security.policy === 'None' ? MessageSecurityMode.None : MessageSecurityMode[security.mode]
  const first = await open(null)
  let endpoint: EndpointDescription
  try {
    endpoint = choose(await endpointsOf(first, url, timeout), config, mode)
    if (security.policy === 'None') return { channel: first, endpoint, identity: null }
    await mustBeTrusted(leafOf(endpoint), config, ctx.clock.now())
  } catch (error) {
    await first.close(null)
    throw error
  }
  await first.close(null)
  const identity = await identityIn(config.pki as string)
  const serverCertificate = leafOf(endpoint)
  const channel = await open({ policy: policyOf(config), mode, serverCertificate, own: identity.own })
  return { channel, endpoint, identity }
}

const choose = (
  endpoints: readonly EndpointDescription[],
  { url, security }: Config,
  mode: MessageSecurityMode,
): EndpointDescription => {
  const wanted = SecurityPolicy[security.policy]
  const fitting = endpoints.filter(
    ({ securityPolicyUri, securityMode }) => securityPolicyUri === wanted && securityMode === mode,
  )
  const [chosen] = fitting
  if (chosen) return chosen
  const offered = endpoints.map(
    ({ securityPolicyUri, securityMode }) =>
      `${String(securityPolicyUri).split('#')[1]} ${MessageSecurityMode[securityMode]}`,
  )
  throw new BridgeError(
    'CONFIG_TARGET',
    `${url} does not offer ${security.policy}${security.policy === 'None' ? '' : ` ${security.mode}`}, but ${[...new Set(offered)].join(', ').slice(0, 200) || 'nothing'}`,
  )
}

/** The server of the session must be the one of the channel, and prove that it has the key (Part 4, 5.6.2.2). */
const mustBeTheSame = (
  created: CreateSessionResponse,
  endpoint: EndpointDescription,
  identity: Identity,
  clientNonce: Buffer,
  policy: SecurityPolicy,
): void => {
  const shown = leafOf(endpoint)
  if (created.serverNonce.length < nonceBytes)
    throw new BridgeError('BAD_ANSWER', 'the nonce of the server is too short to prove anything')
  const same = leafOf(created as unknown as EndpointDescription).equals(shown)
  const proven = verifySignature(identity.certificate, clientNonce, created.serverSignature, shown, policy)
  if (!same || !proven)
    throw new BridgeError('UNAUTHORIZED', 'the server can not prove that the certificate it shows is its own')
}

type Identification = NonNullable<ConstructorParameters<typeof ActivateSessionRequest>[0]>

interface Challenge {
  readonly serverNonce: Buffer
  readonly policy: SecurityPolicy
  /** Nobody on the way can read the channel. */
  readonly secret: boolean
}

/** The identity token that the config asks for, as the endpoint wants it (Part 4, 7.41). */
const userOf = async (
  { user, url }: Config,
  endpoint: EndpointDescription,
  password: string | null,
  challenge: Challenge,
): Promise<Identification> => {
  const [type, name] = !user
    ? ([UserTokenType.Anonymous, 'anonymous sessions'] as const)
    : 'password' in user
      ? ([UserTokenType.UserName, 'user and password'] as const)
      : ([UserTokenType.Certificate, 'certificates of users'] as const)
  const offered = (endpoint.userIdentityTokens ?? []).filter(({ tokenType }) => tokenType === type)
  const [wanted] = offered.toSorted((a, b) => rank(b.securityPolicyUri) - rank(a.securityPolicyUri))
  if (!wanted) throw new BridgeError('UNAUTHORIZED', `${url} does not take ${name}`)
  const policyId = wanted.policyId
  const policy = wanted.securityPolicyUri ? fromURI(wanted.securityPolicyUri) : challenge.policy
  if (!user) return { userIdentityToken: new AnonymousIdentityToken({ policyId }) }
  if ('password' in user) {
    const { encryptionAlgorithm, secret } = encrypted(password ?? '', leafOf(endpoint), policy, challenge)
    return {
      userIdentityToken: new UserNameIdentityToken({
        policyId,
        userName: user.name,
        password: secret,
        encryptionAlgorithm,
      }),
    }
  }
  const own = await certificateOf(user)
  const signature = computeSignature(leafOf(endpoint), challenge.serverNonce, { hidden: own.key }, policy)
  return {
    userIdentityToken: new X509IdentityToken({ policyId, certificateData: own.certificate }),
    ...(signature && { userTokenSignature: signature }),
  }
}

/** Of several ways to encrypt a password the strongest that we know; one without a policy of its own has the channel's. */
const rank = (uri: string | null): number =>
  uri === SecurityPolicy.Aes256_Sha256_RsaPss
    ? 4
    : uri === SecurityPolicy.Basic256Sha256
      ? 3
      : uri === SecurityPolicy.Aes128_Sha256_RsaOaep
        ? 2
        : uri
          ? 0
          : 1

const certificateOf = async (user: { certificate: string; key: string }): Promise<Identity> => {
  try {
    return identityOf(await readFile(user.certificate), await readFile(user.key))
  } catch (error) {
    throw new BridgeError(
      'SECRET_MISSING',
      `the certificate of the user (${user.certificate}, ${user.key}) can't be read: ${messageOf(error)}`,
    )
  }
}

/** Part 4, 7.41.2.2: length, password, the server's nonce, encrypted block by block for the server's certificate. */
const encrypted = (
  password: string,
  certificate: Buffer,
  policy: SecurityPolicy,
  { serverNonce, secret }: Challenge,
) => {
  const plain = Buffer.from(password, 'utf8')
  if (policy === SecurityPolicy.None) {
    if (secret) return { encryptionAlgorithm: null, secret: plain }
    throw new BridgeError('UNAUTHORIZED', 'the server wants the password in the clear: it is not sent')
  }
  const crypto = getCryptoFactory(policy)
  if (!crypto)
    throw new BridgeError(
      'UNAUTHORIZED',
      `the server wants the password by ${policy}, which is not supported`,
    )
  const length = Buffer.alloc(4)
  length.writeUInt32LE(plain.length + serverNonce.length)
  const key = new X509Certificate(certificate).publicKey
  const oaepHash = policy === SecurityPolicy.Aes256_Sha256_RsaPss ? 'sha256' : 'sha1'
  const block = Buffer.concat([length, plain, serverNonce])
  const size = (key.asymmetricKeyDetails?.modulusLength ?? 2_048) / 8 - (oaepHash === 'sha256' ? 66 : 42)
  const parts: Buffer[] = []
  for (let at = 0; at < block.length; at += size)
    parts.push(
      publicEncrypt(
        { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash },
        block.subarray(at, at + size),
      ),
    )
  return { encryptionAlgorithm: crypto.asymmetricEncryptionAlgorithm ?? null, secret: Buffer.concat(parts) }
}
