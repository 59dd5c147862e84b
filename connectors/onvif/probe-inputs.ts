import type { Json } from '../../core/fact.ts'
import { getEventProperties } from './codec/event.ts'
import { OnvifError } from './codec/fault.ts'
import {
  type AccessPointInfo,
  getAccessPointInfoList,
  getDigitalInputs,
  getInputOptions,
} from './codec/input.ts'
import type { Device } from './device.ts'
import type { Doors } from './door.ts'
import { type Input, inputKindOf } from './index.ts'

interface Parts {
  readonly device: Device
  readonly doors: Doors
  readonly inputs: ReadonlyMap<string, Input>
}

/** A controller with more pages of access points than this is one that pages in circles. */
const mostPages = 100

type Kind = ReturnType<typeof inputKindOf>['kind']

const topics: Record<Kind, string> = {
  digital: 'Device/Trigger/DigitalInput',
  'access-point': 'AccessControl/Duress',
  door: 'Door/State/DoorAlarm',
}

/** Whether the device has what the inputs need: token, event, capability. Rejects with the first that is wrong. */
export const probeInputs = async (parts: Parts, signal: AbortSignal): Promise<Json> => {
  const { device, inputs } = parts
  if (!device.has('events'))
    throw new OnvifError('UNSUPPORTED', `${device.host} has no events: its inputs can't be heard`)
  const kinds = new Set([...inputs.values()].map((input) => inputKindOf(input).kind))
  const offers = await optional(device.ask(getEventProperties, { signal }))
  const found: Record<string, Json> = {}
  for (const kind of kinds) {
    const { tokens, about } = await listings[kind](parts, signal)
    const offered = offers?.(topics[kind]) ?? null
    for (const [name, input] of inputs) {
      const { kind: own, token } = inputKindOf(input)
      if (own !== kind) continue
      if (tokens !== null && !tokens.includes(token)) throw unknown(device, name, kind, token, tokens)
      // A device that lists its topics and not this one may know better than its list: said, not refused.
      found[name] = { [kind]: token, event: offered === null ? 'unknown' : offered, ...about(token) }
    }
  }
  return found
}

/** null: the device has no such list. */
interface Listing {
  readonly tokens: readonly string[] | null
  about(token: string): Record<string, Json>
}

const listings: Record<Kind, (parts: Parts, signal: AbortSignal) => Promise<Listing>> = {
  digital: async ({ device }, signal) => {
    if (!device.has('deviceIO')) return { tokens: null, about: () => ({}) }
    const tokens = await optional(device.ask(getDigitalInputs, { signal }))
    const options = await optional(device.ask(getInputOptions, { signal }))
    const means = options === null ? 'unknown' : options ? 'active' : 'circuit closed'
    return { tokens, about: () => ({ true: means }) }
  },
  'access-point': async ({ device }, signal) => {
    const points = device.has('accessControl') ? await listPoints(device, signal) : null
    const about = (token: string) => {
      const point = points?.find((known) => known.token === token)
      if (point && !point.duress)
        throw new OnvifError(
          'UNSUPPORTED',
          `access point ${token} of ${device.host} knows no duress codes: its controller says so`,
          { retry: 'never' },
        )
      return point ? { name: point.name, duress: point.duress } : {}
    }
    return { tokens: points?.map(({ token }) => token) ?? null, about }
  },
  door: async ({ device, doors }, signal) => {
    const list = device.has('doorControl') ? await doors.list(signal) : null
    const about = (token: string) => {
      const door = list?.find((known) => known.token === token)
      return door
        ? { name: door.name, tells: ['Alarm', 'Tamper', 'Fault'].filter((each) => door.can.has(each)) }
        : {}
    }
    return { tokens: list?.map(({ token }) => token) ?? null, about }
  },
}

const listPoints = async (
  device: Device,
  signal: AbortSignal,
): Promise<readonly AccessPointInfo[] | null> => {
  const points: AccessPointInfo[] = []
  let start: string | null = null
  for (let page = 0; page < mostPages; page++) {
    const got: { points: readonly AccessPointInfo[]; next: string | null } | null = await optional(
      device.ask(getAccessPointInfoList(start), { signal }),
    )
    if (got === null) return page === 0 ? null : points
    points.push(...got.points)
    if (got.next === null || got.next === start) break
    start = got.next
  }
  return points
}

/** What a device may lack. */
const optional = <T>(asked: Promise<T>): Promise<T | null> =>
  asked.catch((error: unknown) => {
    if (error instanceof OnvifError && ['UNSUPPORTED', 'REFUSED'].includes(error.code)) return null
    throw error
  })

const unknown = (device: Device, name: string, kind: Kind, token: string, tokens: readonly string[]) => {
  const known = tokens.slice(0, 20).join(', ') || 'none'
  const what = kind === 'digital' ? 'input' : kind.replace('-', ' ')
  return new OnvifError('NOT_FOUND', `${name}: ${device.host} has no ${what} ${token}; it has ${known}`, {
    retry: 'never',
  })
}
