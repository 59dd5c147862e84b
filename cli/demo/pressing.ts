import { randomUUID } from 'node:crypto'
import { BridgeError } from '../../core/error.ts'
import type { Kind } from '../../core/fact.ts'
import type { Device, Site } from '../../core/site/site.ts'
import type { Request } from './thread.ts'

/** How a device of the demo is pressed. */
export interface Pressing {
  readonly device: string
  readonly kind?: Kind | undefined
  readonly drill?: boolean | undefined
  /** How long the button is held, ms. */
  readonly holdMs?: number | undefined
}

/** What the sender of a device has to do for it; by the names that connectors have in the demo's config. */
export const requestFor = (site: Site, pressing: Pressing): Request => {
  const device = site.devices.get(pressing.device)
  const way = device && ways[device.connector]
  if (!device?.input || !way || device.means === 'nothing') throw notPressable(site, pressing.device)
  return way(device, pressing)
}

const ways: { readonly [connector: string]: (device: Device, pressing: Pressing) => Request } = {
  panel: ({ input }, pressing) => {
    only(pressing, 'a contact', [])
    const { holdMs } = pressing
    const { discrete } = input as { discrete: number }
    return { do: 'contact', discrete, ...(holdMs === undefined ? {} : { forMs: holdMs }) }
  },
  badges: ({ input }, { kind, drill }) => {
    const { id } = input as { id: string }
    return { do: 'call', payload: { id, area: areaOf(id), kind, drill: drill === true ? drill : undefined } }
  },
  keypads: ({ input }, pressing) => {
    only(pressing, 'a code', [])
    const { user } = input as { user: number }
    // Contact ID: 121 is duress, and its number that of a user.
    return { do: 'report', event: `1121 01 ${String(user).padStart(3, '0')}` }
  },
  'nurse-call': ({ input }, pressing) => {
    only(pressing, 'a pull cord', ['duress', 'assist'])
    const { id } = input as { id: string }
    const call = pressing.kind === 'assist' ? 'STAFF ASSIST' : 'STAFF EMERGENCY'
    // With the time, as such systems write it: the same text again would be the same call for a while.
    return { do: 'page', text: `${call} ROOM ${id} ${new Date().toISOString().slice(11, 23)}` }
  },
  phones: (_device, { kind, drill }) => ({
    do: 'phone',
    press: { key: randomUUID(), kind, drill, address: '12 Mill Lane' },
  }),
}

/** Refuses what the sender has no way to say. */
const only = ({ device, kind, drill }: Pressing, what: string, kinds: readonly Kind[]): void => {
  if (!drill && (kind === undefined || kinds.includes(kind))) return
  throw new BridgeError(
    'BAD_REQUEST',
    `${device} is ${what}: ${kinds.length > 0 ? `it calls for ${kinds.join(' or ')}` : 'what it means stands in the config'}. Press a badge or the phone, or use --url for --kind and --drill`,
  )
}

/** Where the badges of the demo happen to be. */
const areaOf = (id: string): string => (id === '0117' ? 'gw-ed' : 'gw-301')

const notPressable = (site: Site, device: string): BridgeError => {
  const inputs = [...site.devices.values()]
    .filter(({ input, means }) => input !== null && means !== 'nothing')
    .map(({ name }) => name)
  const what = site.devices.has(device) ? `${device} has no button` : `there is no device ${device}`
  return new BridgeError('UNKNOWN_DEVICE', `${what}: press one of ${inputs.join(', ')}`)
}
