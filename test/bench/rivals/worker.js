import { createServer } from 'node:http'
import axios from 'axios'
import { Worker } from 'bullmq'

// The naive integration, second half: a process of its own that takes commands off the queue and posts them.
const [port, redis] = process.argv.slice(2)

const worker = new Worker(
  'commands',
  async (job) => {
    const { url, id, press } = job.data
    await axios.post(url, press, { headers: { 'idempotency-key': id }, timeout: 10_000 })
  },
  { connection: { host: '127.0.0.1', port: Number(redis), maxRetriesPerRequest: null }, concurrency: 50 },
)
// A command that failed is tried again by the queue; what is wrong with Redis it says by itself.
worker.on('error', () => {})

await worker.waitUntilReady()
// Its health check, as an orchestrator would ask it.
createServer((_, response) => response.end()).listen(Number(port), '127.0.0.1')
