import { z } from 'zod'
import { Message } from './message/message.ts'

/** How much is known of an attempt's success; each includes the one before. */
export type Proof = 'sent' | 'answered' | 'confirmed'
const proofs: readonly Proof[] = ['sent', 'answered', 'confirmed']

/** Whether `had` is at least as strong as `needed`; `confirmed` means the target reports it, read back. */
export const proves = (had: Proof, needed: Proof): boolean => proofs.indexOf(had) >= proofs.indexOf(needed)

/** What people nearby may notice of an act. */
export const Perceptible = z.enum(['none', 'vibrate', 'sound', 'speech', 'motion'])
export type Perceptible = z.infer<typeof Perceptible>

/** Whose commands go first when they must share a way out. */
export const priorities = ['person', 'door', 'camera', 'rest'] as const
export type Priority = (typeof priorities)[number]

/** What a command asks of a target. A value, not a string: it types arguments, results and which acts must exist. */
export interface Capability<Name extends string = string, Args = unknown, Result = unknown> {
  readonly name: Name
  readonly summary: string
  readonly args: z.ZodType<Args>
  readonly result: z.ZodType<Result>
  /** The least proof that counts as done; less is the failure UNCONFIRMED. */
  readonly proof: Proof
  /** What the act itself may cause at its target; `none` can't be made worse by a device, anything else is what an undeclared device counts as. */
  readonly perceptible: Perceptible
  readonly priority: Priority
  /** Sets the state of its target: one in flight, in order, an older waiting one is superseded. */
  readonly stateful: boolean
  /** How long after the press it may still start, ms; null: it never expires. */
  readonly expiresAfterMs: number | null
}

export const capability = <Name extends string, Args, Result>(
  of: Capability<Name, Args, Result>,
): Capability<Name, Args, Result> => of

const none = z.object({})

/** The mode of a door as its system reports it (the DoorMode values of ONVIF Door Control, 5.2.3, in our words). */
export const DoorMode = z.enum([
  'unknown',
  'locked',
  'unlocked',
  'accessed',
  'blocked',
  'lockdown',
  'held-open',
  'double-locked',
])
export type DoorMode = z.infer<typeof DoorMode>

export const DoorReport = z.object({
  mode: DoorMode,
  open: z.boolean().optional(),
  forced: z.boolean().optional(),
  tampered: z.boolean().optional(),
})
/** What a door says of itself. */
export type DoorReport = z.infer<typeof DoorReport>

const hour = 3_600_000

export const pageSend = capability({
  name: 'page.send',
  summary: 'Tells one responder. Late still goes, and says how late.',
  args: z.object({ message: Message }),
  result: z.object({ reference: z.string().optional(), text: z.string().optional() }),
  proof: 'answered',
  perceptible: 'sound',
  priority: 'person',
  stateful: false,
  expiresAfterMs: 24 * hour,
})

export const eventSend = capability({
  name: 'event.send',
  summary: 'Forwards the incident to another system, such as a monitoring centre, a PSIM or a dispatch desk.',
  args: z.object({ message: Message }),
  result: z.object({ reference: z.string().optional() }),
  proof: 'answered',
  perceptible: 'sound',
  priority: 'rest',
  stateful: false,
  expiresAfterMs: 24 * hour,
})

export const cameraPreset = capability({
  name: 'camera.preset',
  summary: 'Turns a camera to the preset that shows the place.',
  args: z.object({ preset: z.string().min(1).max(64) }),
  result: none,
  proof: 'answered',
  perceptible: 'motion',
  priority: 'camera',
  stateful: true,
  expiresAfterMs: 60_000,
})

export const cameraSnapshot = capability({
  name: 'camera.snapshot',
  summary: 'Takes a picture; it is kept as evidence where configured.',
  args: none,
  result: z.object({
    evidence: z.string().optional(),
    mediaType: z.string().optional(),
    bytes: z.number().optional(),
    /** When it was taken, ms since the epoch, and whether that was at most 5 s ago: older ones are never shown as live. */
    capturedAt: z.number().optional(),
    live: z.boolean().optional(),
  }),
  proof: 'answered',
  perceptible: 'none',
  priority: 'camera',
  stateful: false,
  expiresAfterMs: 60_000,
})

export const relaySet = capability({
  name: 'relay.set',
  summary: 'Sets a relay and reads it back. Sets, never toggles.',
  args: z.object({ on: z.boolean() }),
  result: z.object({ on: z.boolean() }),
  proof: 'confirmed',
  perceptible: 'sound',
  priority: 'rest',
  stateful: true,
  expiresAfterMs: 30_000,
})

export const doorState = capability({
  name: 'door.state',
  summary: 'Reads a door.',
  args: none,
  result: DoorReport,
  proof: 'confirmed',
  perceptible: 'none',
  priority: 'door',
  stateful: false,
  expiresAfterMs: 20_000,
})

export const doorHighlight = capability({
  name: 'door.highlight',
  summary: 'Shows a door on screens; moves nothing.',
  args: none,
  result: none,
  proof: 'sent',
  perceptible: 'none',
  priority: 'rest',
  stateful: false,
  expiresAfterMs: 60_000,
})

const lock = {
  result: DoorReport,
  proof: 'confirmed',
  perceptible: 'sound',
  priority: 'door',
  stateful: true,
} as const

export const doorSecure = capability({
  name: 'door.secure',
  summary: "Badge required, way out free, responders' badges still work.",
  args: none,
  ...lock,
  expiresAfterMs: 20_000,
})

export const doorLockdown = capability({
  name: 'door.lockdown',
  summary: 'Nobody enters, valid badges included; way out free.',
  args: none,
  ...lock,
  expiresAfterMs: 20_000,
})

export const doorRelease = capability({
  name: 'door.release',
  summary:
    "Withdraws our own override, back to the door system's own schedule; never an unlock command of ours.",
  args: z.object({
    /** The hold that is withdrawn. */
    from: z.enum(['secure', 'lockdown']),
    /** The mode that the door reported before our first lock, or `unknown`. */
    before: DoorMode,
  }),
  ...lock,
  expiresAfterMs: null,
})

/** The capabilities that the planner knows; connectors may add their own. */
export const capabilities = {
  'page.send': pageSend,
  'event.send': eventSend,
  'camera.preset': cameraPreset,
  'camera.snapshot': cameraSnapshot,
  'relay.set': relaySet,
  'door.state': doorState,
  'door.highlight': doorHighlight,
  'door.secure': doorSecure,
  'door.lockdown': doorLockdown,
  'door.release': doorRelease,
} as const
