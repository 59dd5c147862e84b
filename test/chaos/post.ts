import { Agent, request } from 'node:http'

/** What came back; null: nothing, or not in time. */
export interface Answered {
  readonly status: number
  readonly body: string
}

/** Keeps its connections; a request that gets no answer in time is given up with its connection. */
export class Posts {
  readonly #agent: Agent
  readonly #withinMs: number

  constructor(connections: number, withinMs: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
    this.#withinMs = withinMs
  }

  send(
    port: number,
    path: string,
    body: string | null,
    headers: { readonly [name: string]: string } = {},
  ): Promise<Answered | null> {
    return new Promise((resolve) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port,
          path,
          agent: this.#agent,
          method: body === null ? 'GET' : 'POST',
          timeout: this.#withinMs,
          headers:
            body === null
              ? headers
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers },
        },
        (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => {
            text += chunk
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
          response.on('error', () => resolve(null))
          response.on('aborted', () => resolve(null))
        },
      )
      asked.on('timeout', () => asked.destroy(new Error('no answer in time')))
      asked.on('error', () => resolve(null))
      asked.end(body ?? undefined)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
