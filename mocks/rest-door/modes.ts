import type { Door, DoorOperation } from '../door.ts'
import type { Reply } from '../http/device.ts'
import { type Form, json, parseObject } from './form.ts'

const modes = ['lockdown', 'secure', 'normal'] as const
type Mode = (typeof modes)[number]

const paths = /^\/doors\/([A-Za-z0-9._-]+)(\/mode)?$/

const operation = (door: Door, mode: Mode): DoorOperation => {
  if (mode === 'lockdown') return 'LockDownDoor'
  if (mode === 'secure') return 'LockDoor'
  if (door.mode === 'LockedDown') return 'LockDownReleaseDoor'
  return door.schedule === 'Locked' ? 'LockDoor' : 'UnlockDoor'
}

/** A locked door is secured by somebody, or just as its schedule wants it. */
const report = (door: Door, secured: boolean): Mode => {
  if (door.mode === 'LockedDown') return 'lockdown'
  if (door.lock !== 'Locked') return 'normal'
  return secured || door.schedule === 'Unlocked' ? 'secure' : 'normal'
}

/**
 * A generic form, such as building systems offer: GET /doors/{id} → {"mode":…,"locked":…,"open":…},
 * PUT /doors/{id}/mode {"mode":"lockdown"|"secure"|"normal"}.
 */
export const modesForm = (): Form => {
  const secured = new Set<Door>()

  const put = (door: Door, mode: Mode): Reply | null => {
    const ended = door.command(operation(door, mode))
    if (ended === 'silent') return null
    if (ended === 'failed') return json(409, { error: `${mode} is not possible while ${door.mode}` })
    if (ended === 'unsupported') return json(422, { error: `this door has no ${mode}` })
    if (mode === 'secure') secured.add(door)
    else secured.delete(door)
    return json(200, { mode })
  }

  const get = (door: Door): Reply =>
    json(200, {
      mode: report(door, secured.has(door)),
      locked: door.lock === 'Locked',
      open: door.physical === 'Open',
    })

  return (request, doors) => {
    const [, id, sets] = paths.exec(request.path) ?? []
    if (id === undefined) return null
    if (request.method !== (sets ? 'PUT' : 'GET')) return { status: 405 }
    const door = doors.find((known) => known.token === id)
    if (!door) return json(404, { error: 'no such door' })
    if (!sets) return { what: 'getMode', detail: { token: id }, run: () => get(door) }
    const mode = modes.find((known) => known === parseObject(request.body)?.['mode'])
    if (!mode) return json(400, { error: `mode must be one of ${modes.join(', ')}` })
    return { what: 'setMode', detail: { token: id, mode }, run: () => put(door, mode) }
  }
}
