import type { FastifyInstance } from 'fastify'
import type { Machine } from '../core/machine.ts'
import { fireAt } from '../core/plan/fire.ts'
import type { Device, Door } from '../core/site/site.ts'
import { ageOf } from './devices.ts'
import type { Recent } from './recent.ts'
import { answer, failures } from './schema.ts'

type DoorDevice = Device & { readonly door: Door }

/** Doors as they report themselves, and what we want of them. */
export const doorRoute = (app: FastifyInstance, machine: Machine, recent: Recent): void => {
  app.get(
    '/v1/doors',
    {
      schema: {
        summary: 'All doors: what they report, our holds, and the fire inputs that cover them.',
        response: { 200: answer('`doors`.'), ...failures() },
      },
    },
    async () => ({
      doors: [...machine.site.devices.values()]
        .filter(isDoor)
        .map((device) => viewOf(machine, recent, device)),
    }),
  )
}

const isDoor = (device: Device): device is DoorDevice => device.door !== null

const viewOf = ({ doors, memory, site, clock }: Machine, recent: Recent, device: DoorDevice) => {
  const { name, label, door } = device
  const { reported, reportedAt, holds, releasing } = doors.view(name)
  const now = clock.now()
  const reading = (input: string) => memory.fire(site.devices.get(input))
  return {
    name,
    label,
    guards: door.guards.map(({ path }) => path),
    reported,
    reportedAt,
    ageMs: ageOf(reportedAt, now),
    holds,
    releasing,
    highlightedBy: recent.highlights(name),
    egress: door.egress,
    owner: door.owner,
    lockable: door.lockable,
    whyNot: whyNot(device),
    fire: fireAt(door, reading, now),
    fireInputs: door.fireInputs.map((input) => {
      const one = { ...door, fireInputs: [input] }
      return { name: input, state: fireAt(one, reading, now), ageMs: ageOf(reading(input)?.at ?? null, now) }
    }),
    // What is held now, nobody else gives back: a dead bridge releases nothing.
    dependsOnBridge: holds.length > 0 || releasing,
  }
}

const whyNot = ({ door, can }: DoorDevice): string | null => {
  if (door.lockable) return null
  if (door.owner !== null) return `it belongs to ${door.owner}`
  if (door.egress !== 'free') return `its way out is ${door.egress}`
  return can.size === 0 ? 'it can not be commanded' : 'its connector can not lock it'
}
