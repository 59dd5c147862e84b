/**
 * As much of HTTP/1.1 as the bench needs: whole messages with a content-length, cut out of what a socket gives. The load
 * and the targets share the machine with what is measured; with `node:http` they took a third of it.
 */
export class Whole {
  /** First line and headers. */
  readonly head: string
  readonly #body: Buffer

  constructor(head: string, body: Buffer) {
    this.head = head
    this.#body = body
  }

  get body(): string {
    return this.#body.toString()
  }
}

const end = Buffer.from('\r\n\r\n')

export class Cutter {
  #kept: Buffer | null = null

  /** The messages that are whole with these bytes. Throws for one whose length is not told. */
  take(bytes: Buffer): Whole[] {
    const all: Whole[] = []
    let rest = this.#kept ? Buffer.concat([this.#kept, bytes]) : bytes
    this.#kept = null
    while (rest.length > 0) {
      const headEnd = rest.indexOf(end)
      const head = headEnd < 0 ? '' : rest.toString('latin1', 0, headEnd)
      const from = headEnd + end.length
      const to = from + (headEnd < 0 ? 0 : lengthIn(head))
      if (headEnd < 0 || to > rest.length) {
        this.#kept = rest
        return all
      }
      all.push(new Whole(head, rest.subarray(from, to)))
      rest = rest.subarray(to)
    }
    return all
  }
}

const lengthIn = (head: string): number => {
  const length = headerIn(head, /\r\ncontent-length: *(\d+)/i)
  if (length === null) throw new Error(`a message without content-length: ${head}`)
  return Number(length)
}

export const headerIn = (head: string, pattern: RegExp): string | null => pattern.exec(head)?.[1] ?? null
