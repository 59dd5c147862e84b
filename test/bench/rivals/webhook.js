import { Queue } from 'bullmq'
import Fastify from 'fastify'

// The naive integration, first half: a webhook that puts ten commands on a queue and answers.
const [port, redis, ...targets] = process.argv.slice(2)

const queue = new Queue('commands', {
  connection: { host: '127.0.0.1', port: Number(redis) },
  defaultJobOptions: {
    attempts: 5,
    backoff: { type: 'exponential', delay: 1_000 },
    removeOnComplete: 1_000,
    removeOnFail: 5_000,
  },
})

const app = Fastify()

app.post('/', async (request, reply) => {
  if (request.headers.authorization !== 'Bearer bench') return reply.code(401).send()
  const press = request.body
  // The id of each keeps a sender's retry from telling everybody twice.
  await queue.addBulk(
    targets.map((target, n) => ({
      name: 'tell',
      data: { url: `http://127.0.0.1:${target}/event`, id: `${press.key}/${n}`, press },
      opts: { jobId: `${press.key}-${n}` },
    })),
  )
  return { incident: press.key }
})

await queue.waitUntilReady()
await app.listen({ host: '127.0.0.1', port: Number(port) })
