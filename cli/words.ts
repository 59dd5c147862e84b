import type { Site } from '../core/site/site.ts'
import type { Entry } from '../core/trail/entry.ts'
import { paint } from './print.ts'

type Style = Parameters<typeof paint>[0]

/** An entry of the trail as people read it. */
export interface Words {
  readonly what: string
  readonly text: string
  readonly style: Style | null
}

const endStyles: { readonly [end: string]: Style } = { done: 'green', failed: 'red', expired: 'red' }

/** Entries in words; places by their names where the site is known. */
export const wordsOf = (entry: Entry, places: Site['places'] = new Map()): Words => {
  switch (entry.what) {
    case 'press': {
      const where = places.get(entry.place ?? '')?.name ?? entry.place ?? 'place unknown'
      const drill = entry.drill ? 'DRILL, ' : entry.simulated ? 'simulated, ' : ''
      const what = entry.phase === 'active' ? 'PRESS' : 'let go'
      return { what, text: `${entry.words}: ${drill}${entry.kind} at ${where}`, style: 'bold' }
    }
    case 'opened': {
      const silent = entry.silent ? ', silent' : ''
      return {
        what: 'opened',
        text: `incident ${entry.number} by plan ${entry.plan}${silent}: ${entry.incident}`,
        style: 'bold',
      }
    }
    case 'change': {
      const by = entry.by === '' ? '' : ` by ${entry.by}`
      const note = entry.note === undefined ? '' : `: ${entry.note}`
      return { what: 'change', text: `${entry.is}${by}${note}`, style: 'bold' }
    }
    case 'command':
      return { what: 'command', text: `${entry.capability} ${entry.target}`, style: 'dim' }
    case 'retry':
      return {
        what: 'retry',
        text: `attempt ${entry.attempt} of ${entry.command}: ${entry.code} ${entry.why}`,
        style: 'yellow',
      }
    case 'receipt': {
      const proof = entry.proof === null ? '' : ` (${entry.proof})`
      const why = entry.why === '' ? '' : `: ${entry.why}`
      const end = paint(endStyles[entry.end] ?? 'yellow', entry.end)
      return {
        what: 'receipt',
        text: `${entry.capability} ${entry.target}: ${end}${proof}${why}`,
        style: null,
      }
    }
    case 'hold': {
      const state = entry.ended ?? (entry.confirmed ? 'the door reports it' : 'not yet confirmed')
      return { what: 'hold', text: `${entry.door} ${entry.mode}: ${state}`, style: null }
    }
    case 'fault':
      return {
        what: entry.open ? 'fault' : 'over',
        text: entry.words,
        style: entry.open ? 'yellow' : 'dim',
      }
    case 'summary':
      return { what: 'summary', text: `${entry.words} (${entry.count})`, style: 'yellow' }
    case 'answer':
      return { what: 'answer', text: `${entry.answer} by ${entry.by}`, style: null }
    case 'assigned': {
      const who = entry.role === null ? entry.person : `${entry.person} (${entry.role})`
      const what = entry.person === null ? 'taken back' : `handed to ${who}`
      return { what: 'assigned', text: `${entry.device} ${what} by ${entry.by}`, style: null }
    }
    case 'assigned.list':
      return { what: 'assigned', text: `${entry.devices} devices assigned by a list`, style: null }
    case 'check-in': {
      const by = entry.is === 'missed' ? '' : ` by ${entry.by}`
      return { what: 'check-in', text: `${entry.device ?? entry.id} ${entry.is}${by}`, style: null }
    }
    case 'location-walk':
      return {
        what: 'walk',
        text: `${entry.unit}: ${entry.right} of ${entry.rooms} rooms right, by ${entry.by}`,
        style: null,
      }
    case 'located':
      return { what: 'located', text: `${entry.device} by ${entry.by}: ${entry.why}`, style: 'yellow' }
    case 'test': {
      const how = `${entry.device}: ${entry.how} by ${entry.by}`
      const text = entry.words === '' ? how : `${how}: ${entry.words}`
      return { what: entry.proven ? 'proven' : 'not proven', text, style: entry.proven ? 'green' : 'yellow' }
    }
    case 'service':
      return {
        what: 'service',
        text: `${entry.device}: ${entry.words}${entry.until === null ? '' : `, until ${timeOf(entry.until)}`} (${entry.by})`,
        style: 'yellow',
      }
    case 'walk-test': {
      const { devices, until } = entry
      const which = devices.length > 5 ? `${devices.length} devices` : devices.join(', ')
      const text = until === null ? `over: ${which}` : `${which}, until ${timeOf(until)}`
      return { what: 'walk test', text: `${text} (${entry.by})`, style: 'yellow' }
    }
    case 'inspection': {
      const text = `${entry.device}: ${entry.damaged ? 'DAMAGED' : 'looked at'} by ${entry.by}: ${entry.note}`
      return { what: 'inspection', text, style: entry.damaged ? 'yellow' : null }
    }
    case 'start':
      return { what: 'start', text: `start ${entry.epoch} with config ${entry.revision}`, style: 'dim' }
    case 'unrecorded': {
      const count = `${entry.commands}${entry.isWhole ? '' : ' or more'} commands`
      const text = `went on without a disk until ${timeOf(entry.until)}: ${count} may have been done`
      return { what: 'unrecorded', text, style: 'red' }
    }
    case 'store.gap':
      return { what: 'gap', text: `${entry.sets} records found no room and are lost`, style: 'red' }
    case 'store.continues':
      return { what: 'store', text: `goes on after ${entry.file}: ${entry.why}`, style: 'yellow' }
  }
}

/** One line with the time since the press, where there was one. */
export const timeLine = (sinceMs: number | null, { what, text, style }: Words): string => {
  const time = sinceMs === null ? '' : `${Math.max(0, sinceMs)} ms`
  const label = `${time.padStart(10)}  ${what.padEnd(17)} `
  return style === null ? label + text : label + paint(style, text)
}

const timeOf = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
