import { join } from 'node:path'
import { checkFile } from './check.ts'
import type * as port from './port.ts'
import type { Reading, Replies, Request, Transport } from './transport.ts'

/** The part of the store that is not the alarm path: reading, and care for the file. */
export abstract class Reads {
  readonly #options: port.StoreOptions
  readonly #transport: Transport
  readonly #ending = new AbortController()

  constructor(options: port.StoreOptions, transport: Transport) {
    this.#options = options
    this.#transport = transport
  }

  abstract health(): port.Health

  /** Brings what is on its way into the file, where reads find it. */
  protected abstract hurry(): void

  async prune(before: number, budgetMs: number): Promise<port.Pruned> {
    const { clock } = this.#options
    const until = clock.mono() + budgetMs
    const evidence: string[] = []
    for (let erased = 0; ; ) {
      const slice = await this.#ask({ do: 'prune', before })
      erased += slice.erased
      evidence.push(...slice.evidence)
      if (slice.done || clock.mono() >= until) return { erased, more: !slice.done, evidence }
    }
  }

  async check(): Promise<readonly string[]> {
    const { dir } = this.#options
    const { file } = this.health()
    return dir === ':memory:' || file === null ? [] : checkFile(join(dir, file), this.#ending.signal)
  }

  /** Ends a check that is still running: whoever closes waits for none. */
  protected endCheck(): void {
    this.#ending.abort()
  }

  async backup(path: string): Promise<void> {
    await this.#ask({ do: 'backup', path })
  }

  #ask<R extends Request>(request: R): Promise<Replies[R['do']]> {
    this.hurry()
    return this.#transport.ask(request)
  }

  #read(what: Reading, ...args: readonly unknown[]): Promise<any> {
    return this.#ask({ do: 'read', what, args })
  }

  due(after: port.DueCursor | null, limit: number): Promise<readonly port.UnfinishedCommand[]> {
    return this.#read('due', after, limit)
  }

  incident(id: string): Promise<port.IncidentRecord | null> {
    return this.#read('incident', id)
  }

  commandsOf(incident: string, after: number | null): Promise<port.Page<port.RecordedCommand, number>> {
    return this.#read('commandsOf', incident, after)
  }

  commandIdsOf(incident: string): Promise<readonly string[]> {
    return this.#read('commandIdsOf', incident)
  }

  incidents(
    filter: port.IncidentFilter,
    cursor: number | null,
  ): Promise<port.Page<port.IncidentRow, number>> {
    return this.#read('incidents', filter, cursor)
  }

  trail(from: number, limit: number): Promise<readonly port.TrailRow[]> {
    return this.#read('trail', from, limit)
  }

  trailOf(incident: string, from: number, limit: number): Promise<readonly port.TrailRow[]> {
    return this.#read('trailOf', incident, from, limit)
  }
}
