import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcp } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import type { Connections } from './connections.ts'
import type { Ended } from './exchange.ts'
import http from './index.ts'
import { connectionsTo, diallingOf } from './open.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Connections to a server that does what the path of a request says, and how many requests were open there at most. */
const start = async (max: number, hears: (path: string, response: ServerResponse) => void) => {
  const paths: string[] = []
  const open = { now: 0, most: 0 }
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    paths.push(path)
    open.most = Math.max(open.most, ++open.now)
    response.on('close', () => open.now--)
    request.resume().on('end', () => hears(path, response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = (server.address() as AddressInfo).port
  const connections = await to(port, max)
  ends.push(
    () => server.close(),
    () => server.closeAllConnections(),
  )
  return { connections, paths, open }
}

const to = async (port: number, max: number): Promise<Connections> => {
  const config = http.config.parse({
    url: 'http://127.0.0.1',
    timeout: '20s',
    connections: max,
    requests: {},
  })
  const connections = connectionsTo(`http://127.0.0.1:${port}`, config, await diallingOf(config))
  ends.push(() => connections.destroy())
  return connections
}

const never = new AbortController().signal

const send = (connections: Connections, path: string, signal = never): Promise<Ended> =>
  connections.send({ method: 'POST', path, headers: [], body: '{}' }, signal, true)

const all = (count: number, one: (n: number) => Promise<Ended>) =>
  Promise.all(Array.from({ length: count }, (_, n) => one(n)))

test.each([1, 3])('no more than %i are open at a time, and what waits goes in its order', async (max) => {
  const { connections, paths, open } = await start(max, (_, response) =>
    setImmediate(() => response.end('ok')),
  )
  const ended = await all(30, (n) => send(connections, `/${n}`))
  expect(ended.map((each) => each.is === 'answered' && each.body)).toEqual(Array(30).fill('ok'))
  expect(open.most).toBeLessThanOrEqual(max)
  // Over several connections what was sent first may be heard later.
  const expected = Array.from({ length: 30 }, (_, n) => `/${n}`)
  expect(max === 1 ? paths : new Set(paths)).toEqual(max === 1 ? expected : new Set(expected))
})

test('a request that hangs holds its own connection, and nobody who waits', async () => {
  const { connections } = await start(2, (path, response) => path !== '/hangs' && response.end())
  const abort = new AbortController()
  const hanging = send(connections, '/hangs', abort.signal)
  const ended = await all(10, (n) => send(connections, `/${n}`))
  expect(ended.map(({ is }) => is)).toEqual(Array(10).fill('answered'))
  abort.abort()
  expect(await hanging).toMatchObject({ is: 'broken', started: true })
})

test('however requests end, each connection comes back', async () => {
  const held: ServerResponse[] = []
  const fates: ((response: ServerResponse) => unknown)[] = [
    (response) => response.end('ok'),
    (response) => response.writeHead(500, { connection: 'close' }).end('no'),
    (response) => response.destroy(),
    (response) => response.socket?.resetAndDestroy(),
    (response) => response.socket?.end('no http\r\n\r\n'),
    () => {},
  ]
  const { connections, open } = await start(4, (path, response) => {
    if (path === '/held') held.push(response)
    else fates[Number(path.slice(1)) % fates.length]?.(response)
    if (held.length === 4) for (const each of held.splice(0)) each.end()
  })
  const ended = await all(60, (n) => {
    // What hangs is given up: some at once, some while it waits for a connection, some when it has been sent.
    const abort = new AbortController()
    if (n % fates.length === 5) setTimeout(() => abort.abort(), n)
    return send(connections, `/${n}`, abort.signal)
  })
  const kinds = ended.map((each) => (each.is === 'answered' ? each.status : each.is))
  expect(new Set(kinds)).toEqual(new Set([200, 500, 'broken']))
  expect(kinds.filter((kind) => kind === 200)).toHaveLength(10)
  // The server answers these when four are there at once; that others have left it may still have to hear.
  await vi.waitFor(() => expect(open.now).toBe(0))
  open.most = 0
  const last = await all(8, () => send(connections, '/held'))
  expect(last.map((each) => each.is === 'answered' && each.status)).toEqual(Array(8).fill(200))
  expect(open.most).toBe(4)
})

test('given up while it dials, a request was never sent, and its connection comes back when that has ended', async () => {
  // Takes connections and hangs up, until it is told to answer.
  let answers = false
  const server = createTcp((socket) => {
    socket.on('error', () => {})
    if (!answers) socket.destroy()
    else socket.once('data', () => socket.end('HTTP/1.1 204 No Content\r\n\r\n'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => server.close())
  const connections = await to((server.address() as AddressInfo).port, 1)
  const abort = new AbortController()
  const first = send(connections, '/1', abort.signal)
  abort.abort()
  expect(await first).toMatchObject({ is: 'broken', started: false })
  answers = true
  for (;;) {
    const next = await send(connections, '/2')
    if (next.is === 'answered') break
  }
})

test('closed, it ends what is in flight and what waits, and sends nothing more', async () => {
  let begun = () => {}
  const heard = new Promise<void>((resolve) => {
    begun = resolve
  })
  const { connections, paths } = await start(1, () => begun())
  const under = send(connections, '/1')
  const waits = all(3, (n) => send(connections, `/waits/${n}`))
  await heard
  await connections.destroy()
  expect(await under).toMatchObject({ is: 'broken', started: true })
  for (const each of await waits) expect(each).toMatchObject({ is: 'broken', started: false })
  expect(await send(connections, '/3')).toMatchObject({ is: 'broken', started: false })
  expect(paths).toEqual(['/1'])
})
