import type { Json } from '../../core/fact.ts'
import type { Cameras } from './camera.ts'
import { OnvifError } from './codec/fault.ts'
import type { Device } from './device.ts'
import type { Doors } from './door.ts'
import { type Input, kindOf, type Output } from './index.ts'
import { probeInputs } from './probe-inputs.ts'
import type { Relays } from './relay.ts'

/** What a link is made of. */
export interface Parts {
  readonly device: Device
  readonly doors: Doors
  readonly relays: Relays
  readonly cameras: Cameras
  readonly inputs: ReadonlyMap<string, Input>
}

/** What a door must be able to do for each of our capabilities (attributes of DoorCapabilities, doorcontrol.wsdl). */
const needs = { 'door.secure': 'Lock', 'door.lockdown': 'LockDown' } as const

/** Tries out a device with all its inputs, or one of its outputs, by reading only: nothing moves, nothing is kept. */
export const probe =
  (parts: Parts) =>
  async (address: Output | null, signal: AbortSignal): Promise<Json> => {
    const { device } = parts
    const about = { ...(await device.enter(signal)), clockOffsetMs: device.offsetMs }
    if (address === null)
      return parts.inputs.size === 0 ? about : { ...about, inputs: await probeInputs(parts, signal) }
    const kind = kindOf(address)
    return { ...about, [kind]: await probes[kind](parts, address, signal) }
  }

const probes: Record<
  ReturnType<typeof kindOf>,
  (parts: Parts, address: Output, signal: AbortSignal) => Promise<Json>
> = {
  door: async ({ doors }, { token = '' }, signal) => {
    const list = await doors.list(signal)
    await doors.demand(token, null, signal)
    const { report, lock } = await doors.read(token, signal)
    const info = list?.find((door) => door.token === token)
    const lacks = info
      ? Object.entries(needs).flatMap(([name, need]) => (info.can.has(need) ? [] : [name]))
      : []
    if (lacks.length === Object.keys(needs).length)
      throw new OnvifError(
        'UNSUPPORTED',
        `door ${token} can neither Lock nor LockDown: its controller says so`,
      )
    return {
      token,
      name: info?.name ?? '',
      ...report,
      lock,
      can: info ? [...info.can] : [],
      lacks,
      doors: (list ?? []).slice(0, 200).map((door) => ({ token: door.token, name: door.name })),
    }
  },
  relay: async ({ device, relays }, { relay = '' }, signal) => {
    await relays.demand(relay, signal)
    return { token: relay, relays: await relays.list(signal), events: device.has('events') }
  },
  camera: async ({ cameras }, { profile }, signal) => {
    const view = await cameras.look(profile, signal)
    return {
      profile: view.profile,
      turns: view.presets !== null,
      presets: (view.presets ?? []).slice(0, 200).map(({ token, name }) => ({ token, name })),
      pictures: view.picture !== null,
    }
  },
}
