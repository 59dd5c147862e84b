/** The values of DoorMode (ONVIF Door Control, doorcontrol.wsdl). */
export type DoorMode =
  | 'Unknown'
  | 'Locked'
  | 'Unlocked'
  | 'Accessed'
  | 'Blocked'
  | 'LockedDown'
  | 'LockedOpen'
  | 'DoubleLocked'

export const doorOperations = [
  'AccessDoor',
  'LockDoor',
  'UnlockDoor',
  'BlockDoor',
  'LockDownDoor',
  'LockDownReleaseDoor',
  'LockOpenDoor',
  'LockOpenReleaseDoor',
  'DoubleLockDoor',
] as const
export type DoorOperation = (typeof doorOperations)[number]

export const isDoorOperation = (name: string): name is DoorOperation =>
  doorOperations.some((operation) => operation === name)

/** Capability attributes of one door; what is not listed is false. */
export const doorCapabilities = [
  'Access',
  'Lock',
  'Unlock',
  'Block',
  'DoubleLock',
  'LockDown',
  'LockOpen',
  'DoorMonitor',
  'LockMonitor',
  'DoubleLockMonitor',
  'Alarm',
  'Tamper',
  'Fault',
] as const
export type DoorCapability = (typeof doorCapabilities)[number]

export interface DoorSpec {
  readonly name?: string
  /** What the door system's own schedule wants: where a release leads back to, and how the door starts. */
  readonly schedule: 'Locked' | 'Unlocked'
  /** Default: everything but DoubleLock, DoubleLockMonitor and Fault. */
  readonly capabilities?: { readonly [capability in DoorCapability]?: boolean }
  /** In LockedDown and LockedOpen other commands are refused; `true`: answered with success and ignored. */
  readonly ignoresWhileHeld?: boolean
}

/** How an operation ended: `failed` and `unsupported` are faults, `silent` is no answer. */
export type DoorAnswer = 'done' | 'failed' | 'unsupported' | 'silent'

interface Script {
  readonly only: DoorOperation | undefined
  times: number
  readonly play: (obey: () => DoorAnswer) => DoorAnswer
}

/** For how many commands (default: all to come) and for which operation (default: any) a script holds. */
export interface Scope {
  readonly times?: number
  readonly only?: DoorOperation
}

const usual: { readonly [capability in DoorCapability]?: boolean } = {
  Access: true,
  Lock: true,
  Unlock: true,
  Block: true,
  LockDown: true,
  LockOpen: true,
  DoorMonitor: true,
  LockMonitor: true,
  Alarm: true,
  Tamper: true,
}

const needs: { readonly [operation in DoorOperation]: DoorCapability } = {
  AccessDoor: 'Access',
  LockDoor: 'Lock',
  UnlockDoor: 'Unlock',
  BlockDoor: 'Block',
  LockDownDoor: 'LockDown',
  LockDownReleaseDoor: 'LockDown',
  LockOpenDoor: 'LockOpen',
  LockOpenReleaseDoor: 'LockOpen',
  DoubleLockDoor: 'DoubleLock',
}

/** How long an access lasts when the command doesn't say, ms. */
const accessMsDefault = 5_000

/** A door as its controller sees it, with the rules of ONVIF Door Control; knows no wire. */
export class Door {
  readonly token: string
  readonly name: string
  readonly capabilities: { readonly [capability in DoorCapability]?: boolean }
  schedule: 'Locked' | 'Unlocked'
  physical: 'Open' | 'Closed' = 'Closed'
  alarm: 'Normal' | 'DoorForcedOpen' | 'DoorOpenTooLong' = 'Normal'
  tamper: 'NotInTamper' | 'TamperDetected' = 'NotInTamper'
  fault: 'NotInFault' | 'FaultDetected' = 'NotInFault'
  /** Each mode that the door has had, with Date.now() of its start. */
  readonly history: { readonly at: number; readonly mode: DoorMode }[] = []
  readonly #ignoresWhileHeld: boolean
  #mode: DoorMode
  #beforeAccess: DoorMode
  #accesses = 0
  #scripts: Script[] = []
  #timers = new Set<NodeJS.Timeout>()
  #listeners = new Set<() => void>()

  constructor(token: string, spec: DoorSpec) {
    this.token = token
    this.name = spec.name ?? token
    this.capabilities = spec.capabilities ?? usual
    this.schedule = spec.schedule
    this.#ignoresWhileHeld = spec.ignoresWhileHeld ?? false
    this.#mode = spec.schedule
    this.#beforeAccess = spec.schedule
    this.history.push({ at: Date.now(), mode: this.#mode })
  }

  get mode(): DoorMode {
    return this.#mode
  }

  /** The bolt, as the lock monitor reads it. */
  get lock(): 'Locked' | 'Unlocked' | 'Unknown' {
    if (this.#mode === 'Unknown') return 'Unknown'
    return this.#mode === 'Unlocked' || this.#mode === 'Accessed' || this.#mode === 'LockedOpen'
      ? 'Unlocked'
      : 'Locked'
  }

  /** Does what a command asks, or what the script of the moment makes of it. */
  command(operation: DoorOperation, accessMs = accessMsDefault): DoorAnswer {
    if (!this.capabilities[needs[operation]]) return 'unsupported'
    const script = this.#scripts.find(({ only, times }) => times > 0 && (!only || only === operation))
    if (!script) return this.#obey(operation, accessMs)
    script.times--
    return script.play(() => this.#obey(operation, accessMs))
  }

  /** The mode changes by other hands: an operator at the panel, a schedule, a fire release. */
  become(mode: DoorMode): void {
    if (mode === this.#mode) return
    this.#mode = mode
    this.history.push({ at: Date.now(), mode })
    this.#tell()
  }

  /** Called after each change of anything that the door reports. */
  listen(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Resolves as soon as the door is in that mode; rejects after `withinMs` and says which modes it had. */
  expect(mode: DoorMode, { withinMs = 5_000 }: { withinMs?: number } = {}): Promise<void> {
    if (this.#mode === mode) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.#mode !== mode) return
        end()
        resolve()
      }
      const timer = setTimeout(() => {
        end()
        const had = this.history.slice(-10).map((entry) => entry.mode)
        reject(
          new Error(`expected door ${this.token} ${mode} within ${withinMs} ms; it was ${had.join(', ')}`),
        )
      }, withinMs)
      const end = () => {
        clearTimeout(timer)
        this.#listeners.delete(look)
      }
      this.#listeners.add(look)
    })
  }

  /** Answers with the fault ter:Action/ter:Failure and stays as it is. */
  refuses(scope: Scope = {}): void {
    this.#script(scope, () => 'failed')
  }

  /** Answers success and does nothing. */
  sticks(scope: Scope = {}): void {
    this.#script(scope, () => 'done')
  }

  /** Never answers, and does nothing. */
  hangs(scope: Scope = {}): void {
    this.#script(scope, () => 'silent')
  }

  /** Does it only `ms` later, after answering success or (`answers: 'nothing'`) not at all. */
  landsLate(
    ms: number,
    { answers = 'success', ...scope }: Scope & { answers?: 'success' | 'nothing' } = {},
  ): void {
    this.#script(scope, (obey) => {
      this.#later(ms, obey)
      return answers === 'success' ? 'done' : 'silent'
    })
  }

  /** Ends all scripts; what is to land late still lands. */
  obeys(): void {
    this.#scripts = []
  }

  forced(): void {
    this.#report({ physical: 'Open', alarm: 'DoorForcedOpen' })
  }

  heldOpen(): void {
    this.#report({ physical: 'Open', alarm: 'DoorOpenTooLong' })
  }

  opened(): void {
    this.#report({ physical: 'Open' })
  }

  closed(): void {
    this.#report({ physical: 'Closed', alarm: 'Normal' })
  }

  tampered(yes = true): void {
    this.#report({ tamper: yes ? 'TamperDetected' : 'NotInTamper' })
  }

  faulted(yes = true): void {
    this.#report({ fault: yes ? 'FaultDetected' : 'NotInFault' })
  }

  /** Stops all timers of the door. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #report(change: Partial<Pick<Door, 'physical' | 'alarm' | 'tamper' | 'fault'>>): void {
    Object.assign(this, change)
    this.#tell()
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  #script({ times = Number.POSITIVE_INFINITY, only }: Scope, play: Script['play']): void {
    // The newest script for a command wins.
    this.#scripts.unshift({ times, only, play })
  }

  #later(ms: number, run: () => unknown): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }

  #obey(operation: DoorOperation, accessMs: number): DoorAnswer {
    const held = this.#mode === 'LockedDown' || this.#mode === 'LockedOpen'
    switch (operation) {
      case 'LockDownDoor':
        return this.#mode === 'LockedOpen' ? this.#heldAnswer() : this.#enter('LockedDown')
      case 'LockOpenDoor':
        return this.#mode === 'LockedDown' ? this.#heldAnswer() : this.#enter('LockedOpen')
      case 'LockDownReleaseDoor':
        return this.#mode === 'LockedDown' ? this.#enter(this.schedule) : 'failed'
      case 'LockOpenReleaseDoor':
        return this.#mode === 'LockedOpen' ? this.#enter(this.schedule) : 'failed'
      default:
        return held ? this.#heldAnswer() : this.#move(operation, accessMs)
    }
  }

  #heldAnswer(): DoorAnswer {
    return this.#ignoresWhileHeld ? 'done' : 'failed'
  }

  #move(operation: DoorOperation, accessMs: number): DoorAnswer {
    if (operation === 'LockDoor') return this.#enter('Locked')
    if (operation === 'UnlockDoor') return this.#enter('Unlocked')
    if (operation === 'BlockDoor') return this.#enter('Blocked')
    if (operation === 'DoubleLockDoor') return this.#enter('DoubleLocked')
    return this.#mode === 'Blocked' ? 'failed' : this.#access(accessMs)
  }

  /** The door goes back to its mode when the time is over; a second access starts the time again. */
  #access(accessMs: number): DoorAnswer {
    if (this.#mode !== 'Accessed') this.#beforeAccess = this.#mode
    const nth = ++this.#accesses
    this.#later(accessMs, () => {
      if (this.#mode === 'Accessed' && nth === this.#accesses) this.become(this.#beforeAccess)
    })
    return this.#enter('Accessed')
  }

  #enter(mode: DoorMode): DoorAnswer {
    this.become(mode)
    return 'done'
  }
}

/** Several doors by token. */
export type Doors<Token extends string = string> = { readonly [token in Token]: Door }

export const makeDoors = <Token extends string>(
  specs: { readonly [token in Token]: DoorSpec },
): Doors<Token> =>
  Object.fromEntries(
    Object.entries<DoorSpec>(specs).map(([token, spec]) => [token, new Door(token, spec)]),
  ) as Doors<Token>
