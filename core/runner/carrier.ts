/** The way between a bridge and its workers. It carries sealed bytes and understands none of them. */
export interface Carrier {
  /** Whether a send would get there, as far as is known. */
  isUp(): boolean
  /** Why it is not up, in words. */
  readonly why: string | null
  /** How often it has connected: what was known behind the last connection may be forgotten behind this one. */
  readonly connections: number
  /** Puts a parcel into a box. Rejects with NotSent when it is certainly not there; any other rejection leaves that open. */
  send(box: string, bytes: Uint8Array): Promise<void>
  /** Takes parcels out of a box, in their order, each once; what `take` makes of them is its own affair. */
  receive(box: string, take: (bytes: Buffer) => Promise<void>): Receiver
  /** The same for what is told back: lighter, since nobody does anything upon it. */
  tell(box: string, bytes: Uint8Array): Promise<void>
  listen(box: string, take: (bytes: Buffer) => Promise<void>): Receiver
  /** Throws away what waits in a box. */
  clear(box: string): Promise<void>
  /** Sets a mark of a parcel unless it is set already, and reads all marks of it, in one step. Marks are forgotten after a minute. */
  mark(parcel: string, field: string, value: Uint8Array): Promise<Marks>
  /** Leaves bytes for a worker, in place of those that were left before. */
  leave(box: string, bytes: Uint8Array): Promise<void>
  fetch(box: string): Promise<Buffer | null>
  close(): Promise<void>
}

export interface Marks {
  /** Whether the mark was not set before. */
  readonly first: boolean
  readonly all: ReadonlyMap<string, Buffer>
}

export interface Receiver {
  /** Begins anew with connections of its own: a connection that looks well may be dead. */
  restart(): void
  /** Takes nothing more out of the box. */
  close(): Promise<void>
}

/** The bytes are certainly not in the box, and never will be. */
export class NotSent extends Error {
  override readonly name = 'NotSent'
}
