import { messageOf } from '../error.ts'
import { type Carrier, type Marks, NotSent, type Receiver } from './carrier.ts'

type Take = (bytes: Buffer) => Promise<void>

/** What carries nothing, and says why. */
export const noCarrier = (why: string): Carrier => {
  const refuse = () => Promise.reject(new NotSent(why))
  return {
    why,
    connections: 0,
    isUp: () => false,
    send: refuse,
    receive: () => ({ restart() {}, async close() {} }),
    tell: refuse,
    listen: () => ({ restart() {}, async close() {} }),
    clear: refuse,
    mark: refuse,
    leave: refuse,
    fetch: refuse,
    async close() {},
  }
}

/** A carrier that is opened when somebody first asks whether it is up; until then it carries nothing. */
export class LateCarrier implements Carrier {
  readonly #open: () => Promise<Carrier>
  #opening: Promise<void> | null = null
  #carrier: Carrier = noCarrier('it is still being opened')
  readonly #late = new Set<LateReceiver>()
  #closed = false

  constructor(open: () => Promise<Carrier>) {
    this.#open = open
  }

  get why(): string | null {
    return this.#carrier.why
  }

  get connections(): number {
    return this.#carrier.connections
  }

  isUp(): boolean {
    this.#opening ??= this.#open()
      .catch((error: unknown) => noCarrier(messageOf(error)))
      .then((carrier) => this.#opened(carrier))
    return this.#carrier.isUp()
  }

  send(box: string, bytes: Uint8Array): Promise<void> {
    return this.#carrier.send(box, bytes)
  }

  tell(box: string, bytes: Uint8Array): Promise<void> {
    return this.#carrier.tell(box, bytes)
  }

  receive(box: string, take: Take): Receiver {
    return this.#receiver((carrier) => carrier.receive(box, take))
  }

  listen(box: string, take: Take): Receiver {
    return this.#receiver((carrier) => carrier.listen(box, take))
  }

  clear(box: string): Promise<void> {
    return this.#carrier.clear(box)
  }

  mark(parcel: string, field: string, value: Uint8Array): Promise<Marks> {
    return this.#carrier.mark(parcel, field, value)
  }

  leave(box: string, bytes: Uint8Array): Promise<void> {
    return this.#carrier.leave(box, bytes)
  }

  fetch(box: string): Promise<Buffer | null> {
    return this.#carrier.fetch(box)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#opening
    await this.#carrier.close()
  }

  #receiver(begin: (carrier: Carrier) => Receiver): Receiver {
    const receiver = new LateReceiver(begin, () => this.#late.delete(receiver))
    this.#late.add(receiver)
    return receiver
  }

  async #opened(carrier: Carrier): Promise<void> {
    if (this.#closed) return carrier.close()
    this.#carrier = carrier
    for (const receiver of this.#late) receiver.begin(carrier)
    this.#late.clear()
  }
}

class LateReceiver implements Receiver {
  readonly #begin: (carrier: Carrier) => Receiver
  readonly #closed: () => void
  #receiver: Receiver | null = null

  constructor(begin: (carrier: Carrier) => Receiver, closed: () => void) {
    this.#begin = begin
    this.#closed = closed
  }

  begin(carrier: Carrier): void {
    this.#receiver = this.#begin(carrier)
  }

  restart(): void {
    this.#receiver?.restart()
  }

  async close(): Promise<void> {
    this.#closed()
    await this.#receiver?.close()
  }
}
