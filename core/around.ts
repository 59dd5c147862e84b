import type { Clock } from './clock.ts'
import type { Log, SecretRef } from './connector.ts'
import type { Json } from './fact.ts'
import type { Workers } from './runner/remote.ts'
import type { Site } from './site/site.ts'
import type { Store, StoreOptions } from './store/port.ts'

/** What the program or a simulation brings along. */
export interface Around {
  readonly site: Site
  readonly clock: Clock & { raise?(floor: number): void }
  readonly log: Log
  openStore(options: Pick<StoreOptions, 'state' | 'changed' | 'misfit'>): Store
  /** Compiles a stored revision of the config again; null when it can't be. */
  compile(config: Json, revision: string): Site | null
  keep(bytes: Uint8Array, about: { mediaType: string; capturedAt: number }): Promise<string>
  /** Removes evidence that nothing kept names, last kept before `before`. */
  forget?(hash: string, before: number): Promise<unknown>
  secret(ref: SecretRef): Promise<string>
  newId(): string
  random(): number
  meter: Meter
  /** The way to the workers; absent where the config names none. */
  readonly workers?: Workers | undefined
}

/** Durations that are measured, ms since the press was received. */
export interface Meter {
  toFirst(ms: number): void
  toLast(ms: number): void
  attempt(capability: string, ok: boolean): void
}
