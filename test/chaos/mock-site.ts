import { setTimeout as wait } from 'node:timers/promises'
import { Buttons } from './buttons.ts'
import { People } from './people.ts'
import { Recorder } from './record.ts'
import { type Misbehaviour, Targets } from './targets.ts'
import { Wired } from './wired.ts'

/** What the process with the mock site is told. */
export type Order =
  | {
      readonly do: 'press'
      readonly api: number
      readonly webhook: number
      readonly keypads: number
      readonly secret: string
      readonly presses: number
      readonly perSecond: number
      readonly anIncident: number
    }
  | { readonly do: 'behave'; readonly group: string; readonly behaviour: Misbehaviour }
  | { readonly do: 'stop' }

/** What it says: once where it is reached, then every second how far it is, and last how the doors are left. */
export type News =
  | {
      readonly is: 'ready'
      readonly panel: number
      readonly fire: number
      readonly groups: { readonly [group: string]: number }
    }
  | Progress
  | { readonly is: 'stopped'; readonly doors: { readonly [door: string]: string } }

export interface Progress {
  readonly is: 'progress'
  readonly issued: number
  readonly acked: number
  readonly refused: number
  readonly unanswered: number
  readonly resolved: number
  /** Incidents that somebody looks after at the moment. */
  readonly open: number
  /** All presses are acknowledged, and all incidents resolved. */
  readonly isOver: boolean
}

const [file, seedText] = process.argv.slice(2) as [string, string]
const seed = Number(seedText)
const record = new Recorder(file)
const targets = new Targets(record)
const wired = await Wired.open(record, seed)
const say = (news: News): void => void process.send?.(news)

let buttons: Buttons | null = null
let people: People | null = null

const press = ({ api, webhook, keypads, secret, ...how }: Extract<Order, { do: 'press' }>): void => {
  const caring = new People(api, seed)
  people = caring
  buttons = new Buttons({ port: webhook, secret, seed, ...how }, record, (incident, button, isLast) =>
    caring.heard(incident, button, isLast),
  )
  caring.start()
  buttons.start()
  wired.start(keypads)
}

const tell = (): void => {
  record.flush()
  if (!buttons || !people) return
  const { issued, acked, refused, unanswered, isOver } = buttons
  if (isOver) {
    wired.end()
    people.endAll()
  }
  const { resolved, open } = people
  say({ is: 'progress', issued, acked, refused, unanswered, resolved, open, isOver: isOver && open === 0 })
}

const stop = async (): Promise<void> => {
  buttons?.stop()
  people?.stop()
  wired.end()
  // Requests under way are still noted.
  await wait(100)
  await Promise.all([targets.close(), wired.close()])
  record.close()
  process.send?.({ is: 'stopped', doors: targets.modes() } satisfies News, () => process.exit(0))
}

process.on('message', (order: Order) => {
  if (order.do === 'press') press(order)
  else if (order.do === 'behave') targets.behave(order.group, order.behaviour)
  else void stop()
})
process.on('disconnect', () => process.exit(1))
setInterval(tell, 500)
const ports = await targets.open()
say({ is: 'ready', ...wired.ports, groups: ports })
