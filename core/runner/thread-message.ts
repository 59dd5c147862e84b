import { BridgeError, type ErrorCode, errors } from '../error.ts'

/** What the thread of a link is started with. */
export interface ThreadStart {
  /** Where the connector's declaration is, and which of the module's exports it is. */
  readonly module: string
  readonly type: string
  /** The opening, as a structured clone. */
  readonly opening: unknown
  /** So that its clock reads what the bridge's does. */
  readonly origin: number
}

/** An order without its signal: `abort` follows when that aborts. */
export interface ThreadOrder {
  readonly id: string
  readonly attempt: number
  readonly address: unknown
  readonly args: unknown
}

/** What the bridge says to a thread. */
export type ToThread =
  | { readonly is: 'act'; readonly id: number; readonly capability: string; readonly order: ThreadOrder }
  | { readonly is: 'probe'; readonly id: number; readonly address: unknown }
  | { readonly is: 'beat'; readonly id: number; readonly mark: string }
  | { readonly is: 'abort'; readonly id: number; readonly why: string; readonly name: string }
  | ({ readonly is: 'reply'; readonly id: number } & Reply)
  /** The last batch has been taken: the next may come. */
  | { readonly is: 'taken' }
  | { readonly is: 'ping' | 'end' | 'close' }

/** What a thread says to the bridge; Json is carried as text, so that nothing else passes. */
export type FromThread =
  | {
      readonly is: 'opened'
      readonly acts: readonly string[]
      readonly probe: boolean
      readonly beat: boolean
    }
  | { readonly is: 'refused'; readonly error: Sent }
  | ({ readonly is: 'answer'; readonly id: number } & Reply)
  | { readonly is: 'lost'; readonly why: string }
  | { readonly is: 'batch'; readonly items: readonly Item[] }
  | { readonly is: 'pong' | 'closed' }

/** One thing that a link says of its own accord. */
export type Item =
  | { readonly is: 'note'; readonly device: string; readonly json: string }
  | { readonly is: 'heard' }
  | { readonly is: 'log'; readonly level: Level; readonly json: string; readonly text: string }
  | { readonly is: 'record'; readonly id: number; readonly json: string }
  | { readonly is: 'secret'; readonly id: number; readonly json: string }
  | {
      readonly is: 'keep'
      readonly id: number
      readonly bytes: Uint8Array
      readonly about: { mediaType: string; capturedAt: number }
    }

export type Level = 'debug' | 'info' | 'warn' | 'error'
export const levels: readonly Level[] = ['debug', 'info', 'warn', 'error']

/** How something that was asked ended: Json as text, or an error. */
export type Reply = { readonly json: string } | { readonly error: Sent }

interface Sent {
  readonly message: string
  readonly code?: string | undefined
}

const wordsMax = 500

/** An error as it crosses: its words, bounded, and its code. */
export const sent = (error: unknown): Sent => {
  const { message, name, code } = (error ?? {}) as { message?: unknown; name?: unknown; code?: unknown }
  const words = error instanceof Error ? String(message || name) : String(error)
  return { message: words.slice(0, wordsMax), ...(typeof code === 'string' ? { code } : {}) }
}

/** The error again, on the other side. */
export const received = ({ message, code }: Sent): Error =>
  code !== undefined && Object.hasOwn(errors, code)
    ? new BridgeError(code as ErrorCode, String(message).slice(0, wordsMax))
    : new Error(String(message).slice(0, wordsMax))

/** What a link says at once may be so large, characters; intake keeps 4 KiB of a fact. */
export const factMax = 65_536
/** The result of an order, a probe. */
export const resultMax = 262_144
/** Evidence: pictures of cameras have up to 2 MB. */
export const evidenceMax = 16_777_216
