import { inspect } from 'node:util'

/** Everything that was said where anybody may read it: log lines, errors, facts, notes, outcomes, results of probes. */
export class Said {
  readonly #texts: { readonly where: string; readonly text: string }[] = []

  add(where: string, what: unknown): void {
    this.#texts.push({ where, text: textOf(what) })
  }

  /** Throws when a secret is in anything that was said, in any form that it travels in. */
  holdsNone(secrets: Readonly<Record<string, string>>): void {
    for (const [name, secret] of Object.entries(secrets))
      for (const form of formsOf(secret)) {
        const found = this.#texts.find(({ text }) => text.includes(form))
        if (found) throw new Error(`the secret ${name} is in a ${found.where}: ${found.text.slice(0, 500)}`)
      }
  }
}

const textOf = (what: unknown): string =>
  typeof what === 'string'
    ? what
    : inspect(what, { depth: 8, maxArrayLength: null, maxStringLength: null, breakLength: Infinity })

const formsOf = (secret: string): string[] => {
  const bytes = Buffer.from(secret)
  return [
    secret,
    encodeURIComponent(secret),
    encodeURI(secret),
    new URLSearchParams({ '': secret }).toString().slice(1),
    bytes.toString('hex'),
    ...[0, 1, 2].map((before) => base64Within(bytes, before)),
    ...[0, 1, 2].map((before) => base64Within(bytes, before).replaceAll('+', '-').replaceAll('/', '_')),
  ]
}

/** What base64 makes of the bytes when `before` other bytes (a user and a colon) stand before them, without what the neighbours have a part in. */
const base64Within = (bytes: Buffer, before: number): string => {
  const text = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .replaceAll('=', '')
  const last = (before + bytes.length) % 3 === 0 ? text.length : text.length - 1
  return text.slice(before === 0 ? 0 : before + 1, last)
}
