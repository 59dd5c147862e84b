import { z } from 'zod'
import type { Capability } from './capability.ts'
import type { Clock } from './clock.ts'
import type { Order, Outcome } from './command.ts'
import type { Fact, Json, Level, State } from './fact.ts'

/** Something to say about a config; `path` leads to the node that it is about. */
export interface Finding {
  readonly path: readonly (string | number)[]
  /** What is wrong and what would be right. */
  readonly message: string
  /** A fatal finding refuses to start; the others are advice. */
  readonly fatal: boolean
}

/** Device name to its parsed input or output. */
type Named<T> = ReadonlyMap<string, T>

/** What one link is opened with: the connector's config and the devices that share the connection. */
export interface Opening<Config, In, Out> {
  /** The connector's name in the config, and the link's key where a connector has several: "ed-panel". */
  readonly name: string
  readonly config: Config
  readonly inputs: Named<In>
  readonly outputs: Named<Out>
  /** Where each input reads on: what was last stored for it. */
  readonly cursors: Named<Json>
}

/** How a fact was taken in. */
export interface Recorded {
  readonly duplicate: boolean
  /** The event's id; the same for each repeat of a fact. */
  readonly id: string
  /** The incident that it opened or joined; null for what opens none. */
  readonly incident: string | null
}

/** What core gives to a link. */
export interface Context {
  readonly clock: Clock
  readonly log: Log
  /** Aborted when the link must go. */
  readonly signal: AbortSignal
  /** Resolves when the fact is on disk: answer the wire then. Rejects (NOT_RECORDED, TOO_BUSY) when it is not: give no acknowledgement; the response may run all the same. */
  record(fact: Fact): Promise<Recorded>
  /** Remembers a device's state; call it on every reading, core thins it out. It proves that the device's data is fresh. */
  note(device: string, state: State): void
  /** Says that the link itself has heard something, for links whose inputs are silent by nature (webhooks, brokers). */
  heard(): void
  /** Keeps bytes as evidence and returns their sha256. */
  keep(bytes: Uint8Array, about: { mediaType: string; capturedAt: number }): Promise<string>
  /** Resolves a reference on the machine that uses it. */
  secret(ref: SecretRef): Promise<string>
}

/** Structured log: fields first, then a sentence. Never a secret, never a whole request. */
export interface Log {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}

/** A secret by reference: an environment variable's name or a file's path. */
export const SecretRef = z
  .union([
    z.strictObject({
      env: z.string().min(1).describe('Name of the environment variable that holds the secret.'),
    }),
    z.strictObject({ file: z.string().min(1).describe('Path of the file that holds the secret; one line.') }),
  ])
  .describe('A secret, by reference: `{ env: NAME }` or `{ file: PATH }`. Never the secret itself.')
export type SecretRef = z.infer<typeof SecretRef>

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** `50ms`, `30s`, `15m`, `8h`, `30d` to milliseconds; null when it isn't one. */
export const parseDuration = (text: string): number | null => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  return match ? Math.round(Number(match[1]) * units[match[2] as keyof typeof units]) : null
}

/** A duration in a config, in milliseconds once parsed. `what` is the field's sentence. */
export const duration = (what: string, limits: { min?: string; max?: string } = {}) =>
  z
    .string('write a duration: a number and a unit, such as 50ms, 30s, 15m, 8h or 30d')
    .transform((text, ctx) => {
      const ms = parseDuration(text)
      const problem =
        ms === null
          ? 'not a duration: write a number and a unit, such as 50ms, 30s, 15m, 8h or 30d'
          : ms < (parseDuration(limits.min ?? '0s') ?? 0)
            ? `too short: at least ${limits.min}`
            : ms > (parseDuration(limits.max ?? '3650d') ?? 0)
              ? `too long: at most ${limits.max}`
              : null
      if (problem === null) return ms as number
      ctx.addIssue({ code: 'custom', message: problem, input: text })
      return z.NEVER
    })
    .describe(what)

type ArgsOf<C> = C extends Capability<string, infer Args, unknown> ? Args : never

/** One function for each capability that a connector declares. Never throws for an operating error: it returns the outcome. */
export type Acts<Can extends Capability<string, any, any>, Out> = {
  readonly [Name in Can['name']]: (
    order: Order<Out, ArgsOf<Extract<Can, { name: Name }>>>,
  ) => Promise<Outcome>
}

/** One live connection: the unit of reconnect, health and isolation. */
export interface Link<Can extends Capability<string, any, any> = Capability, Out = any> {
  /** Settles when the connection is gone, with the reason; core alone reopens it. */
  readonly lost?: Promise<unknown>
  readonly acts: Acts<Can, Out>
  /**
   * Sends a synthetic press through the link's own wire: it comes back by `record` as a press with `heartbeat: mark`, and
   * proves the whole way in. Only where the wire allows it; rejects with what is wrong.
   */
  beat?(mark: string, signal: AbortSignal): Promise<void>
  /** Tries out one address without moving anything: reachable, credentials, token, capability. Rejects with what is wrong. */
  probe?(address: Out | null, signal: AbortSignal): Promise<Json>
  /** Idempotent and prompt. */
  close(): Promise<void>
}

/** A place that a connector's config names. */
export interface NamedPlace {
  /** The way to the entry below `connectors.NAME` whose `place` and `precision` these are. */
  readonly path: readonly (string | number)[]
  readonly place: string
  /** How exactly what the connector hears tells of it. */
  readonly precision: Level
}

/** The declaration of the code for one protocol: imports only zod and core; `open` loads the rest. */
export interface Connector<
  Config = any,
  In = any,
  Out = any,
  Can extends Capability<string, any, any> = Capability<string, any, any>,
> {
  readonly type: string
  readonly summary: string
  /** `import.meta.url` of the declaration. */
  readonly module: string
  readonly contract: 1
  /** Set by the loader: it came by the config's `extensions`; its links live in threads of their own by default. */
  readonly extension?: true
  /** What sort of device its presses come from; default `api`. */
  readonly source?: 'panic-panel' | 'keypad' | 'badge' | 'mobile' | 'camera-input' | 'door-reader' | 'api'
  /** What sort of device one input is, where that depends on it; goes before `source`. */
  sourceOf?(input: In): NonNullable<Connector['source']>
  /** zod schemas; types, checks, docs and forms come from them. Every field is described; objects are strict. */
  readonly config: z.ZodType<Config>
  readonly input?: z.ZodType<In>
  readonly output?: z.ZodType<Out>
  readonly can?: readonly Can[]
  /** The key of the connection that an address uses; without it all devices of a connector share one. */
  link?(config: Config, address: In | Out): string
  /** What can hang together, and how many may be in flight there; without it each target is a lane of its own with four. */
  lane?(config: Config, address: Out): { readonly key: string; readonly atOnce: number }
  /** Which of `can` an address offers, where that depends on it; without it all of them. */
  offers?(config: Config, address: Out): readonly string[]
  /** How old the data of a link may get before that is a fault, ms; null: it is silent by nature. */
  staleAfterMs?(config: Config): number | null
  /** How long one input may say nothing before its device is lost, ms; null: it is silent by nature. A device's `reports` goes before it. */
  silentAfterMs?(config: Config, input: In): number | null
  /** The places that the config names; core checks that they exist, and counts them as covered. */
  places?(config: Config): readonly NamedPlace[]
  /** How long one attempt may take, ms; default: `defaultAttemptMs`. */
  attemptMs?(config: Config, capability: string): number
  /** Pure checks of one opening; paths are relative to `connectors.NAME` (`['config', …]`) or `devices.NAME` (`['inputs', device, …]`, `['outputs', device, …]`). */
  check?(opening: Omit<Opening<Config, In, Out>, 'cursors'>): readonly Finding[]
  /** Dials once; core opens again with back-off. */
  open(opening: Opening<Config, In, Out>, ctx: Context): Promise<Link<Can, Out>>
}

/** How long one attempt may take where a connector says nothing, ms. */
export const defaultAttemptMs = 5_000

/** Types a declaration from its parts. */
export const defineConnector = <
  Config,
  In = never,
  Out = never,
  Can extends Capability<string, any, any> = never,
>(
  connector: Connector<Config, In, Out, Can>,
): Connector<Config, In, Out, Can> => connector
