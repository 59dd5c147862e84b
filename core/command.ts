import type { Priority, Proof } from './capability.ts'
import type { ErrorCode } from './error.ts'
import type { Json } from './fact.ts'

/** One act on one target, wanted by an incident's plan or by a door's lane. */
export interface Command {
  /** Derived from what asks for it, such as `incident/step.n/target`, so that planning twice makes one command. */
  readonly id: string
  /** null for commands outside an incident, such as the reading of a door at start. */
  readonly incident: string | null
  /** The device or the responder's contact path. */
  readonly target: string
  readonly connector: string
  readonly capability: string
  readonly address: Json
  readonly args: Json
  /** ms since the epoch */
  readonly dueAt: number
  /** ms since the epoch; null: never expires (a release). */
  readonly expiresAt: number | null
  readonly priority: Priority
  /** The condition that takes it back while it has not started; empty for what always goes out. */
  readonly unless: readonly Condition[]
}

/** What has happened in an incident, in the order of weight; each later one includes the earlier. */
export type Condition = 'acknowledged' | 'on-the-way' | 'on-scene' | 'resolved'

/** One attempt as a connector sees it. */
export interface Order<Address = Json, Args = Json> {
  /** The command's id: the same for each attempt, so that a target can tell a repeat. */
  readonly id: string
  /** 1 for the first. */
  readonly attempt: number
  readonly address: Address
  readonly args: Args
  /** Checked right before the bytes that act; aborted when time is up or the command is no longer wanted. */
  readonly signal: AbortSignal
}

/** Whether an attempt that did not succeed may have moved something all the same. */
export type Effect = 'none' | 'possible'

export interface Failure {
  readonly code: ErrorCode
  /** `never`: trying again can't help. */
  readonly retry: 'never' | 'backoff' | { readonly afterMs: number }
  /** What went wrong, where, and what to do. */
  readonly message: string
}

/** How one attempt ended. Runners return outcomes and never throw. */
export type Outcome =
  | { readonly ok: true; readonly proof: Proof; readonly result: Json }
  | { readonly ok: false; readonly failure: Failure; readonly effect: Effect }

export const done = (proof: Proof, result: Json = {}): Outcome => ({ ok: true, proof, result })

export const failed = (
  code: ErrorCode,
  message: string,
  more: { retry?: Failure['retry']; effect?: Effect } = {},
): Outcome => ({
  ok: false,
  failure: { code, retry: more.retry ?? 'backoff', message },
  effect: more.effect ?? 'none',
})

/** The end of a command. */
export interface Receipt {
  readonly command: string
  readonly end: 'done' | 'failed' | 'expired' | 'cancelled' | 'suppressed'
  /** In words: "NOT confirmed: the door reports unlocked". Empty when done. */
  readonly why: string
  readonly proof: Proof | null
  /** Whether something may have happened at the target, done or not. */
  readonly effect: Effect | 'had'
  readonly attempts: number
  /** ms since the epoch */
  readonly at: number
  readonly result: Json
}
