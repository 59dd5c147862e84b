import type { Door } from '../door.ts'
import type { Reply, Request } from '../http/device.ts'
import type { Received } from '../mock.ts'

/** What a request asks for: its name for the journal, and how to do it (null: no answer). */
export interface Asked {
  readonly what: string
  readonly detail: Received['detail']
  readonly run: () => Reply | null
}

/** A dialect of JSON over HTTP: reads a request, or answers what is wrong with it; null: not its address. */
export type Form = (request: Request, doors: readonly Door[]) => Asked | Reply | null

export const json = (status: number, body: unknown): Reply => ({
  status,
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(body),
})

/** Undefined when it is no JSON object. */
export const parseObject = (text: string): { readonly [name: string]: unknown } | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
