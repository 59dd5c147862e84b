import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'

/** AES-256-GCM: key, nonce and tag, bytes (NIST SP 800-38D, 5.2.1.1 and 8.2.1). */
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16
/** What makes the keys of one life of a sender its own, bytes. */
const saltBytes = 16
/** Of the seal and of what is sealed: another one is not opened. */
const version = 2
const headBytes = 1 + saltBytes + nonceBytes + tagBytes
/** Lives of a sender whose keys are kept; older ones are derived again. */
const livesMax = 8

/** Who speaks; a message of one direction means nothing in the other. */
export type Speaker = 'bridge' | 'worker'

/** The key that a bridge and one worker share: 32 bytes in base64. Throws what to do when it isn't. */
export const readKey = (text: string): Buffer => {
  const key = Buffer.from(text.trim(), 'base64')
  if (key.length === keyBytes && /^[A-Za-z0-9+/]{43}=$/.test(text.trim())) return key
  throw new Error("the worker's key must be 32 bytes in base64: make one with `openssl rand -base64 32`")
}

/**
 * Seals what the bridge and one worker say to each other, so that Redis learns nothing of it and can't change it. A sender
 * takes fresh keys at each start (HKDF, RFC 5869) and counts its nonces, so that none is ever used twice.
 */
export class Seal {
  readonly #key: Buffer
  readonly #worker: string
  readonly #speaker: Speaker
  readonly #salt = randomBytes(saltBytes)
  readonly #own: KeyObject
  readonly #lives = new Map<string, KeyObject>()
  #count = 0n

  constructor(key: Buffer, worker: string, speaker: Speaker) {
    this.#key = key
    this.#worker = worker
    this.#speaker = speaker
    this.#own = this.#derive(this.#salt, speaker)
  }

  /** `about` is not hidden but bound: it opens only as what it was sealed as, such as a mark of one parcel. */
  close(plain: Uint8Array, about: string): Buffer {
    const nonce = Buffer.alloc(nonceBytes)
    nonce.writeBigUInt64BE(this.#count++, nonceBytes - 8)
    const cipher = createCipheriv('aes-256-gcm', this.#own, nonce)
    cipher.setAAD(Buffer.from(about))
    const body = Buffer.concat([cipher.update(plain), cipher.final()])
    return Buffer.concat([Buffer.of(version), this.#salt, nonce, cipher.getAuthTag(), body])
  }

  /** What the other side sealed; null when it is not from there, was changed, or was sealed as something else. */
  open(sealed: Uint8Array, about: string): Buffer | null {
    if (sealed.length < headBytes || sealed[0] !== version) return null
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length)
    const salt = bytes.subarray(1, 1 + saltBytes)
    const nonce = bytes.subarray(1 + saltBytes, headBytes - tagBytes)
    try {
      const opener = createDecipheriv('aes-256-gcm', this.#ofLife(salt), nonce, { authTagLength: tagBytes })
      opener.setAAD(Buffer.from(about))
      opener.setAuthTag(bytes.subarray(headBytes - tagBytes, headBytes))
      return Buffer.concat([opener.update(bytes.subarray(headBytes)), opener.final()])
    } catch {
      return null
    }
  }

  /** The other side's key in one of its lives. */
  #ofLife(salt: Buffer): KeyObject {
    const name = salt.toString('latin1')
    const known = this.#lives.get(name)
    if (known) return known
    const key = this.#derive(salt, this.#speaker === 'bridge' ? 'worker' : 'bridge')
    for (const oldest of this.#lives.keys()) if (this.#lives.size >= livesMax) this.#lives.delete(oldest)
    this.#lives.set(name, key)
    return key
  }

  #derive(salt: Buffer, speaker: Speaker): KeyObject {
    const info = `duress-bridge ${speaker} ${this.#worker}`
    // A key object: with bare bytes Node takes ten times as long for each message.
    return createSecretKey(Buffer.from(hkdfSync('sha256', this.#key, salt, info, keyBytes)))
  }
}
