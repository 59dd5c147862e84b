import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { messageOf } from '../core/error.ts'
import type { Json } from '../core/fact.ts'
import { toldOf } from '../core/trail/entries.ts'
import { openControl } from './demo/control.ts'
import { type Hospital, portFor, startHospital } from './demo/hospital.ts'
import type { Pressing } from './demo/pressing.ts'
import { Story } from './demo/story.ts'
import { openLog } from './log.ts'
import { paint, say, table } from './print.ts'
import { stop } from './run.ts'
import { Running } from './running.ts'
import { onSignals } from './signals.ts'
import { readSite } from './site.ts'

/** How long the newcomer has to look around before the first press, ms. */
const firstPressMs = 3_000
/** How long a press may take to become an incident, ms. */
const pressMs = 3_000

const portOf = (text: string): number => {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new InvalidArgumentError('write a port number, 0 for any')
}

export default new Command('demo')
  .summary('bring up a hospital of mock devices on this machine')
  .description(
    'Brings up a hospital on loopback: mock devices that speak their real protocols, and the bridge between them. It tells each thing that happens, presses one button after three seconds, and waits for more. Ctrl-C ends everything.',
  )
  .option('--data <dir>', 'directory for the records; without it a temporary one, deleted at the end')
  .option('--port <port>', 'port of the API; another one when it is taken', portOf, 8080)
  .addHelpText(
    'after',
    `
Examples:
  $ npm start
  $ duress-bridge demo --data ./demo-data
  $ duress-bridge press lobby-weapon-button    # from a second terminal`,
  )
  .action(demo)

async function demo({ data: wanted, port }: { data?: string; port: number }): Promise<void> {
  const data = wanted ?? mkdtempSync(join(tmpdir(), 'duress-bridge-demo-'))
  const starting = bringUp(data, port)
  const ended = onSignals(async () => {
    const { end } = await starting
    await end()
    if (wanted === undefined) rmSync(data, { recursive: true, force: true })
  })
  const { hospital, running, press } = await starting
  if (port !== 0 && !running.url.endsWith(`:${port}`))
    say(paint('yellow', `Port ${port} is taken: the API is at ${running.url}.`))
  sayWhere(hospital, running, data)
  const story = new Story(running.machine.site)
  running.machine.listen((entries, at) => story.hear(toldOf(entries, at)))
  hospital.listen((mock, received) => story.see(mock, received))
  setTimeout(() => {
    press({ device: 'triage-2-button' }).then(
      () => setTimeout(sayMore, 500, running.url, data),
      (error: unknown) => say(paint('red', messageOf(error))),
    )
  }, firstPressMs)
  await ended
  process.exit(0)
}

/** The mocks, the bridge between them, and the way in for presses from a second terminal. */
const bringUp = async (data: string, port: number) => {
  mkdirSync(data, { recursive: true })
  const hospital = await startHospital(data, await portFor(port))
  const site = await readSite(hospital.file)
  const { log, flush } = openLog(join(data, 'bridge.log'), 'info')
  const running = await Running.start({ file: hospital.file, data, log }, site)
  const press = (pressing: Pressing) => pressAndWait(hospital, running, pressing)
  const control = await openControl(data, press)
  const end = async () => {
    control.close()
    say()
    await stop(running)
    await hospital.close()
    flush()
  }
  return { hospital, running, press, end }
}

/** Presses the real input and waits until the bridge has it. */
const pressAndWait = async (hospital: Hospital, { machine }: Running, pressing: Pressing): Promise<Json> => {
  const heard = new Promise<Json>((resolve) => {
    const late = setTimeout(() => end({ incident: null }), pressMs)
    const deaf = machine.listen((entries) => {
      for (const entry of entries)
        if (entry.what === 'press' && entry.device === pressing.device && entry.phase === 'active')
          end({ event: entry.event, incident: entry.incident, number: numberOf(machine, entry.incident) })
    })
    const end = (pressed: Json) => {
      clearTimeout(late)
      deaf()
      resolve(pressed)
    }
  })
  const done = (async () => hospital.press(machine.site, pressing))()
  // A button that is held is let go later.
  done.catch(() => {})
  return Promise.race([heard, done.then(() => heard)])
}

const numberOf = ({ book }: Running['machine'], incident: string | null): number | null =>
  incident === null ? null : (book.page(incident)?.incident.number ?? null)

const sayWhere = ({ file, mocks }: Hospital, { machine, url }: Running, data: string): void => {
  say(paint('bold', `${machine.site.name}: a demo hospital on this machine\n`))
  const rows = [
    ['status page, API', `${url}/`],
    ['config', file],
    ['data, log', data],
    ...mocks.map(([name, where]) => [`mock ${name}`, where]),
  ]
  for (const line of table(rows)) say(`  ${line}`)
  say(`\nIn ${firstPressMs / 1_000} s somebody presses the button in triage 2. Times are since the press.`)
}

const sayMore = (url: string, data: string): void => {
  const json = "-H 'content-type: application/json'"
  const phone = `-H "authorization: Bearer $(cat ${join(data, 'secrets', 'phone')})"`
  say(`
${paint('bold', 'That was one press.')} It is acknowledged, or security's supervisor is paged after 30 s. From a second terminal:

  npx duress-bridge press lobby-weapon-button          locks the lobby door down, for real on the mock
  npx duress-bridge press badge-0118 --kind weapon     a badge: level 3 is secured
  npx duress-bridge press teller-code                  a duress code at a keypad: the teller's side shows nothing
  npx duress-bridge press room-302-cord                a nurse-call system that can only send pages
  npx duress-bridge press fire-panel --hold 20s        fire: what is locked is released, nothing more is locked
  npx duress-bridge doors --url ${url}
  npx duress-bridge devices --url ${url}
  npx duress-bridge trail incident 1 --data ${data}
  curl ${url}/v1/incidents
  curl ${url}/v1/incidents/ID/acknowledge ${json} -d '{"by":"security"}'

A lone worker says by when to be heard of; who is not, calls for help:

  curl ${url}/v1/check-ins ${json} ${phone} \\
    -d "{\\"by\\":\\"$(date -d '30 seconds' -Iseconds)\\",\\"address\\":\\"12 Mill Lane\\"}"

Ctrl-C ends everything.`)
}
