import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * A free port on loopback below those that Linux hands out (32768 and up, ip_local_port_range), so that no connection
 * of anybody takes it while its server is down.
 */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}
