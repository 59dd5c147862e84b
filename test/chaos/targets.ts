import { Door, type DoorMode } from '../../mocks/door.ts'
import { type HttpMock, type Reply, type Request, startHttp } from '../../mocks/http/device.ts'
import { type Behaviour, Journal } from '../../mocks/mock.ts'
import { groups } from './ground.ts'
import type { ArrivalRow, Recorder } from './record.ts'

/** How a group of targets misbehaves; `deaf` does what it is asked and answers nothing. */
export type Misbehaviour = Behaviour | { readonly is: 'deaf' }

const json = (body: object, status = 200): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

const modes: { readonly [mode in DoorMode]?: string } = {
  LockedDown: 'lockdown',
  Locked: 'locked',
  Unlocked: 'unlocked',
}

/** Pagers, sinks, doors and cameras: each group a server of its own. */
export class Targets {
  readonly #servers = new Map<string, HttpMock>()
  readonly #doors = new Map<string, Door>()
  readonly #deaf = new Set<string>()
  readonly #record: Recorder

  constructor(record: Recorder) {
    this.#record = record
  }

  async open(): Promise<{ readonly [group: string]: number }> {
    const ports: { [group: string]: number } = {}
    for (const [group, count] of Object.entries(groups)) {
      const [kind, n] = group.split('-') as [string, string]
      if (kind === 'doors') for (let index = 0; index < count; index++) this.#addDoor(`${n}-${index}`)
      const server = await startHttp(0, new Journal(), {
        answer: (request) => this.#answer(group, request),
        // What misbehaves does nothing.
        note: (request) => void this.#take(request, { did: 0, answered: 0 }),
        wrongAnswer: () => json({ version: '2.1', uptime: 86_400 }),
        forget: () => {},
      })
      this.#servers.set(group, server)
      ports[group] = server.port
    }
    return ports
  }

  behave(group: string, behaviour: Misbehaviour): void {
    if (behaviour.is === 'deaf') this.#deaf.add(group)
    else this.#deaf.delete(group)
    this.#servers.get(group)?.behave(behaviour.is === 'deaf' ? { is: 'normal' } : behaviour)
  }

  /** How each door is now. */
  modes(): { readonly [door: string]: string } {
    return Object.fromEntries([...this.#doors].map(([id, door]) => [`door-${id}`, modeOf(door)]))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.close()))
  }

  #addDoor(id: string): void {
    const door = new Door(id, { schedule: 'Unlocked' })
    door.listen(() => {
      this.#record.door({ at: Date.now(), door: `door-${id}`, mode: modeOf(door) })
    })
    this.#doors.set(id, door)
  }

  #answer(group: string, request: Request): Reply | null {
    const isDeaf = this.#deaf.has(group)
    if (request.method === 'GET') return isDeaf ? null : this.#state(request)
    const taken = this.#take(request, { did: 1, answered: isDeaf ? 0 : 1 })
    if (!taken) return json({ error: 'no such path' }, 404)
    const door = this.#doors.get(taken.id)
    if (door && taken.kind === 'doors') move(door, taken.what)
    return isDeaf ? null : json({ taken: true })
  }

  #state({ path }: Request): Reply {
    const door = this.#doors.get(path.split('/')[2] ?? '')
    return door ? json({ mode: modeOf(door) }) : json({ error: 'no such door' }, 404)
  }

  /** Notes what came; null: nobody asks for that here. */
  #take(
    { method, path, headers, body }: Request,
    how: Pick<ArrivalRow, 'did' | 'answered'>,
  ): { kind: string; id: string; what: string } | null {
    const [, kind, id, what] = path.split('/')
    if (method === 'GET' || kind === undefined || id === undefined) return null
    this.#record.arrival({
      at: Date.now(),
      target: `${kind === 'doors' ? 'door' : (named[kind] ?? kind)}-${id}`,
      what: what ?? kind,
      command: decodeURI(String(headers['idempotency-key'] ?? '')),
      repeat: body.includes('"possibleRepeat":true') ? 1 : 0,
      ...how,
    })
    return { kind, id, what: what ?? kind }
  }
}

const named: { readonly [path: string]: string } = { page: 'pager', event: 'sink', preset: 'camera' }

const modeOf = (door: Door): string => modes[door.mode] ?? 'unknown'

/** Set, never toggled: what is as it should be stays so. */
const move = (door: Door, what: string): void => {
  if (what === 'lockdown') door.command('LockDownDoor')
  else if (what === 'secure') door.become('Locked')
  else if (what === 'release') door.become('Unlocked')
}
