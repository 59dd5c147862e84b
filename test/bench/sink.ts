import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { now } from './process.ts'
import { Cutter, headerIn } from './wire.ts'

/**
 * Ten targets on ten ports. Each answers at once and notes which press it was told of and when; `report` gives, for each
 * press, how many arrived, how many different ones, when the last did, and when each target was first told. One of them
 * can `hang` (it takes requests and answers none) until it shall `answer`, or `refuse` connections until it shall `listen`.
 */
const targets = 10
const presses = new Map<string, { count: number; ids: Set<string>; lastAt: number; firsts: number[] }>()
let complete = 0
/** What a hanging target would answer; absent while it doesn't hang. */
const held = new Map<number, (() => void)[]>()
/** Requests at each target that have no answer yet, and the most of them since it began to hang. */
const open = Array.from({ length: targets }, () => ({ now: 0, most: 0 }))

const note = (id: string, target: number): void => {
  // "incident/step/target" of the bridge, "press/target" of the others: the press is what comes first.
  const press = id.slice(0, id.indexOf('/'))
  const seen = presses.get(press) ?? { count: 0, ids: new Set<string>(), lastAt: 0, firsts: [] }
  presses.set(press, seen)
  seen.count++
  seen.lastAt = now()
  seen.firsts[target] ??= seen.lastAt
  if (seen.ids.has(id)) return
  seen.ids.add(id)
  if (seen.ids.size === targets) complete++
}

const answered = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}'

const sockets = Array.from({ length: targets }, () => new Set<Socket>())
const servers = Array.from({ length: targets }, (_, target) =>
  createServer({ noDelay: true }, (socket) => {
    const requests = open[target] as { now: number; most: number }
    const cutter = new Cutter()
    let mine = 0
    sockets[target]?.add(socket)
    socket.on('data', (bytes) => {
      for (const { head } of cutter.take(bytes)) {
        mine++
        requests.most = Math.max(requests.most, ++requests.now)
        const answer = () => {
          // Whoever gave up while it hung was not served.
          if (socket.destroyed) return
          mine--
          requests.now--
          note(headerIn(head, /\r\nidempotency-key: *([^\r]*)/i) ?? '', target)
          socket.write(answered)
        }
        const waiting = held.get(target)
        if (waiting) waiting.push(answer)
        else answer()
      }
    })
    // A contender that is killed cuts its connections.
    socket.on('error', () => {})
    socket.once('close', () => {
      requests.now -= mine
      sockets[target]?.delete(socket)
    })
  }),
)

/**
 * Below the ports that are given to outgoing connections: while a target is away none of those may get its port (a
 * connection from a port to itself succeeds).
 */
const listen = async (server: Server): Promise<number> => {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    server.listen(port, '127.0.0.1')
    const isThere = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (isThere) return port
  }
}

const ports = await Promise.all(servers.map(listen))
process.send?.(ports)

const answers: { readonly [question: string]: (target: number) => unknown } = {
  reset: () => {
    presses.clear()
    complete = 0
  },
  count: () => ({ presses: presses.size, complete }),
  report: () =>
    [...presses].map(([press, { count, ids, lastAt, firsts }]) => [press, count, ids.size, lastAt, firsts]),
  hang: (target) => {
    held.set(target, [])
    const requests = open[target] as { now: number; most: number }
    requests.most = requests.now
  },
  answer: (target) => {
    const waiting = held.get(target) ?? []
    held.delete(target)
    for (const answer of waiting) answer()
    return open[target]?.most
  },
  refuse: async (target) => {
    const server = servers[target] as Server
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets[target] ?? []) socket.destroy()
    await closed
  },
  listen: async (target) => {
    const server = servers[target] as Server
    server.listen(ports[target], '127.0.0.1')
    await once(server, 'listening')
    return now()
  },
}

process.on('message', async (text: string) => {
  const [question = '', target] = text.split(' ')
  process.send?.((await answers[question]?.(Number(target))) ?? null)
})
process.on('SIGTERM', () => process.exit(0))
// Whoever asked is gone.
process.on('disconnect', () => process.exit(0))
