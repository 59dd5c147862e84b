import { randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { BridgeError, type ErrorCode, errors, messageOf } from '../../core/error.ts'
import { type Json, Kind } from '../../core/fact.ts'
import type { Pressing } from './pressing.ts'

/** Larger requests are no presses, bytes. */
const requestMax = 4_096

const Asked = z.strictObject({
  device: z.string(),
  kind: Kind.optional(),
  drill: z.boolean().optional(),
  holdMs: z.number().int().min(1).max(600_000).optional(),
})

/** Where the running demo takes presses; readable by its user only. */
const Door = z.object({ url: z.string(), token: z.string() })
type Door = z.infer<typeof Door>

/** The demo's own, in its data; and one in a place that `press` knows without being told. */
const pathIn = (data: string): string => join(data, 'demo.json')
const knownPath = (): string => join(tmpdir(), `duress-bridge-demo-${userInfo().username}.json`)

/** Takes presses from a second terminal, on loopback, for whoever may read the token. */
export const openControl = async (
  data: string,
  press: (pressing: Pressing) => Promise<Json>,
): Promise<{ close(): void }> => {
  const token = randomBytes(24).toString('base64url')
  const server = createServer((request, response) => {
    const end = (status: number, body: Json) => {
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
      response.end(JSON.stringify(body))
    }
    if (request.method !== 'POST' || !knows(request, token)) return end(403, { error: 'not for you' })
    readAll(request)
      .then((text) => press(Asked.parse(JSON.parse(text))))
      .then(
        (pressed) => end(200, pressed),
        (error: unknown) =>
          end(400, {
            error: messageOf(error),
            code: error instanceof BridgeError ? error.code : 'BAD_REQUEST',
          }),
      )
  })
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(0, '127.0.0.1', done)
  })
  const { port } = server.address() as { port: number }
  const text = JSON.stringify({ url: `http://127.0.0.1:${port}`, token })
  const paths = [pathIn(data), knownPath()]
  for (const path of paths) write(path, text)
  return { close: () => close(server, paths, text) }
}

const knows = ({ headers }: IncomingMessage, token: string): boolean => {
  const given = Buffer.from(headers.authorization ?? '')
  const right = Buffer.from(`Bearer ${token}`)
  return given.length === right.length && timingSafeEqual(given, right)
}

const readAll = async (request: IncomingMessage): Promise<string> => {
  let text = ''
  for await (const chunk of request) {
    text += chunk
    if (text.length > requestMax) throw new BridgeError('TOO_LARGE', 'more than a press')
  }
  return text
}

/** A new file, never somebody else's or a link that waits there. */
const write = (path: string, text: string): void => {
  rmSync(path, { force: true })
  writeFileSync(path, text, { mode: 0o600, flag: 'wx' })
}

const close = (server: Server, paths: readonly string[], text: string): void => {
  server.close()
  server.closeAllConnections()
  for (const path of paths) {
    try {
      // The next demo may have put its own there.
      if (readFileSync(path, 'utf8') === text) rmSync(path)
    } catch {
      // It is gone already.
    }
  }
}

/** The demo that runs on this machine, as this user; null when there is none. */
export const findControl = (data: string | undefined): Door | null => {
  const path = data === undefined ? knownPath() : pathIn(data)
  try {
    const { uid } = statSync(path)
    if (process.getuid && uid !== process.getuid()) return null
    return Door.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return null
  }
}

/** Asks the demo for a press; null when it is no longer there. */
export const pressThere = async ({ url, token }: Door, pressing: Pressing): Promise<Json | null> => {
  const body = JSON.stringify(pressing)
  let response: Response
  try {
    response = await fetch(url, { method: 'POST', body, headers: { authorization: `Bearer ${token}` } })
  } catch {
    return null
  }
  const answer = (await response.json()) as { error?: string; code?: string }
  if (response.ok) return answer as Json
  const code = answer.code !== undefined && answer.code in errors ? (answer.code as ErrorCode) : 'BAD_REQUEST'
  throw new BridgeError(code, answer.error ?? `the demo answered ${response.status}`)
}
