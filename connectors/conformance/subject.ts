import type { Connector } from '../../core/connector.ts'
import type { Json } from '../../core/fact.ts'

/** A connector, and how to bring up something that it can talk to. */
export interface Subject {
  /** Tells several subjects of one connector apart, in the names of the cases. */
  readonly name?: string
  readonly connector: Connector
  /** Brings up a fresh peer; called for each case, and several times at once. */
  start(): Promise<Stage>
}

/**
 * How a peer behaves from now on: as it should · slow (each answer late) · refusing (no connections, open ones
 * dropped) · half-open (takes everything, answers nothing) · garbage (bytes of no protocol) · wrong-answer
 * (well-formed, but not to what was asked).
 */
export type Behaviour =
  | { readonly is: 'normal' | 'refusing' | 'half-open' | 'garbage' | 'wrong-answer' }
  | { readonly is: 'slow'; readonly ms: number }

/** What is opened, as it would be written in a config. All devices share one link. */
export interface Written {
  readonly config: Json
  readonly inputs?: { readonly [device: string]: Json }
  readonly outputs?: { readonly [device: string]: Json }
}

/** One peer, up and running, and the controls of it. */
export interface Stage {
  /** The opening, with the peer on loopback at this port: its own, or that of a disturbed line before it. */
  opening(port: number): Written
  /** Value by the name of the environment variable that the opening refers to. Make them easy to recognise. */
  readonly secrets: { readonly [env: string]: string }
  /** Where the connector dials; without it, it dials nobody. */
  readonly peer?: Peer
  /** Where the connector itself listens; without it, nobody dials it. */
  readonly listensOn?: number
  /** At least one for each capability that the outputs offer. */
  readonly trials?: readonly Trial[]
  /** At least one for a connector with inputs. */
  readonly buttons?: readonly Button[]
  close(): Promise<void>
}

/** A device on loopback that the connector dials. */
export interface Peer {
  readonly port: number
  /** Connections that are open now. */
  readonly openSockets: number
  behave(behaviour: Behaviour): void
  /** Power off for `awayMs`, and on again as after power-up: counters at 0, sessions forgotten. */
  reboot(awayMs: number): Promise<void>
}

/** An order, and how to see at the peer what has become of it. */
export interface Trial {
  readonly capability: string
  /** Name of an output of the opening. */
  readonly output: string
  readonly args: Json
  /** How often the peer has been asked for the act so far, whatever it made of it; without it the act changes nothing: a reading, a picture. */
  acts?(): number
  /** Brings the peer into a state in which the order has something to do. */
  prepare?(): void
  /** Whether the peer is now as ordered. */
  reached?(): boolean
  /** Exchanges with the peer before the bytes that act go out: log-in, greeting, look-up. */
  readonly preSteps?: number
  /** What the peer does not know: an output, as it would be written, or arguments. */
  readonly unknown?: { readonly output?: Json; readonly args?: Json }
}

/** An input, and how to press it. */
export interface Button {
  /** Name of an input of the opening. */
  readonly device: string
  /** One press as a finger, a badge or a sender makes it, and the end of it. */
  press(): Promise<void>
  /** Whether the end of a press is told as well. */
  readonly restores: boolean
  /** Presses made while nobody was connected are told when somebody is again, by the cursor handed back. */
  readonly remembers: boolean
  /** For wires with an acknowledgement: whether the last press has got it; null while there is no answer. */
  acknowledged?(): boolean | null
  /** For wires with an acknowledgement: the sender tells the last press once more, as it does without one. */
  repeat?(): Promise<void>
  /** For inputs that are read, not told: from now on the peer is there, but this one can't be. */
  unreadable?(): void
  /** A press by something that the config doesn't know. */
  stranger?(): Promise<void>
}
