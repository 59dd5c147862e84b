/** The setting that says which backend tests take: `containers`, `local` or `auto`. */
export const BACKEND = 'DURESS_TEST_BACKEND'

/** What a Redis of a test runs in: a process of Debian's redis-server, or a container with the same program. */
export interface Backend {
  /** Starts it, or starts it again; it is ready when it answers. */
  start(): Promise<void>
  /** Why it isn't running although it should be; null while it runs. */
  failure(): Promise<string | null>
  /** What it has said so far. */
  log(): Promise<string>
  /** It stands still, with its connections open, until `thaw`. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** Ends at once, as by a power cut; frozen, too. */
  kill(): Promise<void>
  /** Nothing of it is left. */
  remove(): Promise<void>
}
