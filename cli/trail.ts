import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { BridgeError } from '../core/error.ts'
import type { Incident } from '../core/incident/incident.ts'
import { storeFiles } from '../core/store/files.ts'
import type { IncidentRecord, TrailHead, TrailRow } from '../core/store/port.ts'
import { Reader } from '../core/store/reader.ts'
import type { Entry } from '../core/trail/entry.ts'
import { readTrailKey } from '../core/trail/key.ts'
import { verifyTrail } from '../core/trail/verify.ts'
import { paint, say, sayJson } from './print.ts'
import { timeLine, wordsOf } from './words.ts'

/** Rows read at a time: an open read keeps the write-ahead log growing. */
const pageRows = 1_000

const headOf = (text: string): TrailHead => {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text)
  if (match) return { seq: Number(match[1]), chain: (match[2] as string).toLowerCase() }
  throw new InvalidArgumentError('write SEQ:CHAIN as the log and `trail verify` print it')
}

const filesIn = (data: string): string[] => {
  const files = existsSync(data) ? storeFiles(data) : []
  if (files.length === 0)
    throw new BridgeError('STORE_FAILED', `there is no trail in ${data}: name the --data of the bridge`)
  return files
}

const verify = new Command('verify')
  .summary('prove that the trail is what was written')
  .description(
    'Walks the whole trail and checks each row against the chain. With --head, that the exported row is still in it, so that a cut-off end is seen. Exits with 1 when it is broken. The bridge may be running.',
  )
  .requiredOption('--data <dir>', 'data directory of the bridge')
  .option('--head <seq:chain>', 'an end of the trail that was exported earlier', headOf)
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge trail verify --data ./data
  $ duress-bridge trail verify --data ./data --head 1042:9f2c…`,
  )
  .action(({ data, head: expected, json }: { data: string; head?: TrailHead; json?: true }) => {
    const files = filesIn(data)
    const key = readTrailKey(data)
    if (!key) throw new BridgeError('STORE_FAILED', `${data}/trail.key is missing: restore it from a backup`)
    const verified = verifyTrail(files, key, expected)
    const { rows, erased, head, broken, afterFailure } = verified
    if (json) sayJson({ ok: broken === null, ...verified, files: files.map((file) => basename(file)) })
    if (broken) {
      process.exitCode = 1
      if (json) return
      const where = `row ${broken.seq}${broken.file === '' ? '' : ` of ${broken.file}`}`
      throw new BridgeError('CHAIN_BROKEN', `the trail in ${data} is broken at ${where}: ${broken.why}`)
    }
    if (json) return
    const less = erased === 0 ? '' : `, ${erased} of them erased by retention`
    say(
      `${paint('green', 'The trail is whole')}: ${rows} rows in ${files.length} file${files.length === 1 ? '' : 's'}${less}`,
    )
    if (afterFailure > 0)
      say(
        `${afterFailure} rows came into a file while it was failing; nobody was told that they are recorded.`,
      )
    say(`Its head is ${head.seq}:${head.chain}`)
    say('Keep the head elsewhere, or a cut-off end would go unseen.')
  })

/** The incident by its id or by the number that people say, from the newest file that knows it. */
const findIncident = (readers: readonly Reader[], wanted: string): IncidentRecord => {
  const number = /^#?(\d{1,9})$/.exec(wanted)?.[1]
  for (const reader of readers.toReversed()) {
    const found =
      number === undefined
        ? reader.incident(wanted)
        : reader
            .incidents({}, Number(number) + 1, 1)
            .rows.filter((row) => row.number === Number(number))
            .map(({ id }) => reader.incident(id))[0]
    if (found) return found
  }
  throw new BridgeError('UNKNOWN_INCIDENT', `there is no incident ${wanted} in this data`)
}

const rowsOf = (reader: Reader, incident: string): TrailRow[] => {
  const rows: TrailRow[] = []
  for (let from = 0; ; from = rows.at(-1)!.seq + 1) {
    const page = reader.trailOf(incident, from, pageRows)
    rows.push(...page)
    if (page.length < pageRows) return rows
  }
}

interface Line {
  readonly seq: number
  readonly at: number
  readonly sinceMs: number
  /** null: erased by retention. */
  readonly entry: Entry | null
}

const timelineOf = (rows: readonly TrailRow[], incident: string, openedAt: number): Line[] =>
  rows.flatMap(({ seq, at, entries }): Line[] => {
    const sinceMs = at - openedAt
    if (entries === null) return [{ seq, at, sinceMs, entry: null }]
    return (entries as unknown as readonly Entry[])
      .filter((entry) => entry.incident === incident)
      .map((entry) => ({ seq, at, sinceMs, entry }))
  })

const incident = new Command('incident')
  .summary('what happened in an incident, in ms since the press')
  .description(
    'Prints the timeline of an incident from the trail: presses, commands, receipts, holds and what people did, in milliseconds since the first press. The bridge may be running.',
  )
  .argument('<id>', 'its id, or the number that people say')
  .requiredOption('--data <dir>', 'data directory of the bridge')
  .option('--json', 'machine-readable')
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge trail incident 12 --data ./data
  $ duress-bridge trail incident 0197c1d2-… --data ./data --json`,
  )
  .action((wanted: string, { data, json }: { data: string; json?: true }) => {
    const readers = filesIn(data).map((file) => Reader.open(file))
    try {
      const { id, number, openedAt, body } = findIncident(readers, wanted)
      const rows = readers.flatMap((reader) => rowsOf(reader, id))
      const lines = timelineOf(rows, id, openedAt)
      if (json) return sayJson({ incident: body, timeline: lines })
      const { kind, plan, drill, silent } = body as unknown as Incident
      const marks = `${drill ? ', DRILL' : ''}${silent ? ', silent' : ''}`
      say(paint('bold', `Incident ${number}: ${kind}, plan ${plan}${marks}`))
      say(`${new Date(openedAt).toISOString()}  ${id}\n`)
      for (const { sinceMs, entry } of lines)
        say(
          timeLine(sinceMs, entry ? wordsOf(entry) : { what: 'erased', text: 'by retention', style: 'dim' }),
        )
    } finally {
      for (const reader of readers) reader.close()
    }
  })

export default new Command('trail')
  .summary('read the record of what happened')
  .description('Reads the append-only record of what happened, also while the bridge is running.')
  .addCommand(verify)
  .addCommand(incident)
