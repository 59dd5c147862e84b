import { type Door, doorCapabilities, isDoorOperation } from '../door.ts'
import type { Reply } from '../http/device.ts'
import { type Form, json, parseObject } from './form.ts'

/** `status`: faults come as HTTP 400 or 500; `ok`: all with HTTP 200, so that only the body tells. */
export type Faults = 'status' | 'ok'

/** The fault object; its exact form is not published, so clients should ask for what success looks like instead. */
const fault = (faults: Faults, blame: 'Sender' | 'Receiver', code: string, reason: string): Reply =>
  json(faults === 'ok' ? 200 : blame === 'Sender' ? 400 : 500, {
    Fault: `env:${blame}`,
    FaultCode: code,
    FaultReason: reason,
  })

const doorInfo = (door: Door) => {
  const known = Object.keys(door.capabilities).length > 0
  return {
    token: door.token,
    Name: door.name,
    Description: door.name,
    // A door that never got a hardware configuration has no capabilities at all.
    Capabilities: known
      ? Object.fromEntries(doorCapabilities.map((name) => [name, door.capabilities[name] ?? false]))
      : {},
  }
}

const doorState = (door: Door) => ({
  DoorState: { DoorPhysicalState: door.physical, Alarm: door.alarm, DoorMode: door.mode },
})

/** Axis VAPIX door control: the operations of ONVIF Door Control as JSON, {"tdc:LockDownDoor":{"Token":…}} → {}. */
export const vapixForm =
  (faults: Faults): Form =>
  (request, doors) => {
    if (request.path !== '/vapix/doorcontrol') return null
    if (request.method !== 'POST') return { status: 405 }
    const [key, args] = Object.entries(parseObject(request.body) ?? {})[0] ?? []
    if (key === undefined)
      return fault(faults, 'Sender', 'ter:WellFormed', 'not one JSON object with an operation')
    const name = key.startsWith('tdc:') ? key.slice(4) : key
    const token = (args as { readonly Token?: unknown } | null)?.Token
    const act = (): Reply | null => {
      if (name === 'GetDoorInfoList') return json(200, { DoorInfo: doors.map(doorInfo) })
      if (name !== 'GetDoorState' && !isDoorOperation(name))
        return fault(faults, 'Receiver', 'ter:ActionNotSupported', `${key} is not supported`)
      const door = doors.find((known) => known.token === token)
      if (!door) return fault(faults, 'Sender', 'ter:InvalidArgs', `Door ${String(token)} is not found`)
      if (name === 'GetDoorState') return json(200, doorState(door))
      const ended = door.command(name)
      if (ended === 'silent') return null
      if (ended === 'done') return json(200, {})
      return ended === 'failed'
        ? fault(faults, 'Receiver', 'ter:Action', `${name} failed in ${door.mode} state`)
        : fault(faults, 'Receiver', 'ter:ActionNotSupported', `${name} is not supported for this door`)
    }
    return { what: name, detail: typeof token === 'string' ? { token } : {}, run: act }
  }
