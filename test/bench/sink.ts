import { createServer } from 'node:http'
import { now } from './process.ts'

/**
 * Ten targets on ten ports. Each answers at once and notes which press it was told of and when; `report` gives, for each
 * press, how many arrived, how many different ones, and when the last did.
 */
const targets = 10
const presses = new Map<string, { count: number; ids: Set<string>; lastAt: number }>()

const servers = Array.from({ length: targets }, () =>
  createServer((request, response) => {
    // "incident/step/target" of the bridge, "press/target" of the floor: the press is what comes first.
    const id = String(request.headers['idempotency-key'] ?? '')
    const press = id.slice(0, id.indexOf('/'))
    const seen = presses.get(press) ?? { count: 0, ids: new Set<string>(), lastAt: 0 }
    presses.set(press, seen)
    request.resume()
    request.on('end', () => {
      seen.count++
      seen.ids.add(id)
      seen.lastAt = now()
      response.end('{}')
    })
  }).listen(0, '127.0.0.1'),
)

await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))))
process.send?.(servers.map((server) => (server.address() as { port: number }).port))

process.on('message', (question) => {
  if (question === 'reset') presses.clear()
  if (question === 'count') {
    let complete = 0
    for (const { ids } of presses.values()) if (ids.size === targets) complete++
    process.send?.({ presses: presses.size, complete })
    return
  }
  process.send?.([...presses].map(([press, { count, ids, lastAt }]) => [press, count, ids.size, lastAt]))
})
process.on('SIGTERM', () => process.exit(0))
