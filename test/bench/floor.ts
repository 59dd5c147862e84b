import { fsync, openSync, write } from 'node:fs'
import { createServer } from 'node:http'
import { Pool } from 'undici'

/**
 * The floor: the least that a durable relay can do. Takes a press, appends it to a file, one fsync for each, answers, and
 * posts it to ten targets. No plan, no expiry, no receipts, no retry.
 */
const [file = '', ...ports] = process.argv.slice(2)
const out = openSync(file, 'a')
const pools = ports.map((port) => new Pool(`http://127.0.0.1:${port}`, { connections: 16 }))

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = Buffer.concat(chunks)
    const { key } = JSON.parse(body.toString()) as { key: string }
    write(out, Buffer.concat([body, Buffer.from('\n')]), (failed) => {
      if (failed) throw failed
      fsync(out, (unsafe) => {
        if (unsafe) throw unsafe
        response.end(JSON.stringify({ incident: key }))
        for (const [n, pool] of pools.entries()) void post(pool, key, n, body)
      })
    })
  })
}).listen(0, '127.0.0.1', () => process.send?.((server.address() as { port: number }).port))

const post = async (pool: Pool, key: string, target: number, body: Buffer): Promise<void> => {
  const headers = { 'content-type': 'application/json', 'idempotency-key': `${key}/${target}` }
  const answer = await pool.request({ method: 'POST', path: '/event', headers, body })
  await answer.body.dump()
}

process.on('SIGTERM', () => process.exit(0))
process.on('disconnect', () => process.exit(0))
