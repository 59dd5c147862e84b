import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { fit as textFor } from '../../core/message/fit.ts'
import { Hospital, mercy } from './hospital.ts'

/** The hospital of a test, opened by `open`, closed after it. */
export let hospital: Hospital
let dir: string | null = null
afterEach(async () => {
  await hospital.close()
  if (dir !== null) rmSync(dir, { recursive: true, maxRetries: 20, retryDelay: 50 })
  dir = null
})

export const minute = 60_000
export const hour = 60 * minute
export const day = 24 * hour

/** The site of the scenarios with people who look after it: technicians, those of the ED, and an administrator. */
const site = ({ devices = '', supervision = '' } = {}): string =>
  mercy
    .replace(
      'responders:\n',
      `responders:
  technicians: { page: { connector: wire, id: tech, perceptible: vibrate } }
  ed-technician: { page: { connector: wire, id: ed-tech, perceptible: vibrate } }
  administrator: { page: { connector: wire, id: admin, perceptible: none } }
  ed-shelf: { page: { connector: wire, id: shelf, place: north/l2/ed/ed-hall, perceptible: sound } }
`,
    )
    .replace('devices:\n', `devices:\n${devices}`)
    .concat(`supervision:
  maintenance: technicians
  administrators: administrator
${supervision}`)

export const open = async (more: Parameters<typeof site>[0] = {}) => {
  hospital = await Hospital.open(site(more))
}
/** On a disk, so that it can be started again. */
export const openOnDisk = async () => {
  dir = mkdtempSync(join(tmpdir(), 'duress-supervision-'))
  hospital = await Hospital.open(site(), { dir })
}
/** Much time passes at once, as if the machine had slept: everything that fell due comes then. */
export const jump = async (ms: number) => {
  hospital.clock.raise(hospital.clock.now() + ms)
  await hospital.advance(2 * minute)
}

export const note = (device: string, state: object) => hospital.world.context.note(device, state)
export const alive = (device: string) => note(device, { quality: 'good' })
export const faults = () => hospital.machine.faults.open().map(({ id }) => id)
export const stands = (device: string) => {
  const { machine, clock } = hospital
  return machine.supervision.standing(machine.site.devices.get(device)!, clock.now())
}
export const text = (page: { at: number; args: any } | undefined): string =>
  page ? textFor(page.args.message, { characters: 300, charset: 'unicode', now: page.at }) : ''
/** Pages about faults, to one pager or to all. */
export const notices = (pager?: string) =>
  hospital.pages(pager).filter(({ args }) => args.message.about === 'fault')
export const walk = async (...devices: string[]) =>
  (await hospital.settled(hospital.machine.supervision.modes.startWalkTest({ devices, by: 'T. Ester' }))).test
export const intoRepair = (device: string, forMs: number) =>
  hospital.settled(
    hospital.machine.supervision.modes.startService(device, { forMs, by: 'T. Ech', why: 'new cable' }),
  )
