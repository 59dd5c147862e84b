import { exception } from './frame.ts'

/** The exception codes of Modbus Application Protocol 1.1b3, section 7, that a unit itself gives. */
const ILLEGAL_FUNCTION = 1
const ILLEGAL_ADDRESS = 2
const ILLEGAL_VALUE = 3

/** Where the counters of the digital inputs stand: two words per input from register `at`. */
export interface Counters {
  /** 0x0010, 30017 in the data sheet, on a Moxa ioLogik E1210. */
  readonly at?: number
  readonly table?: 'input' | 'holding'
  readonly wordOrder?: 'hi-lo' | 'lo-hi'
}

/** What a unit does with function 8, which many don't know: answers, says that it doesn't know it, or says nothing. */
export type Diagnostics = 'answered' | 'refused' | 'silent'

export interface Sizes {
  readonly discretes: number
  readonly coils: number
  readonly registers: number
}

/** A write that a request asks for, as the journal notes it. */
export interface Write {
  readonly what: 'write coil' | 'write register'
  readonly address: number
  readonly value: boolean | number
}

interface Latch {
  readonly resetCoil: number
  set: boolean
}

/** One unit's inputs, relays, registers and counters, and what it answers to a request. */
export class Unit {
  readonly coils: Uint8Array
  readonly holdings: Uint16Array
  readonly inputs: Uint16Array
  readonly stuck = new Set<number>()
  readonly #contacts: Uint8Array
  readonly #counts: Uint32Array
  readonly #latches = new Map<number, Latch>()
  readonly #counters: Required<Counters> | null
  readonly #diagnostics: Diagnostics

  constructor(sizes: Sizes, counters: Required<Counters> | null, diagnostics: Diagnostics = 'refused') {
    this.#diagnostics = diagnostics
    this.#contacts = new Uint8Array(sizes.discretes)
    this.#counts = new Uint32Array(sizes.discretes)
    this.coils = new Uint8Array(sizes.coils)
    this.holdings = new Uint16Array(sizes.registers)
    this.inputs = new Uint16Array(sizes.registers)
    this.#counters = counters
  }

  /** The raw contact of an input; the counter doesn't see it. */
  set(discrete: number, closed: boolean): void {
    this.#known(discrete)
    this.#contacts[discrete] = closed ? 1 : 0
    const latch = this.#latches.get(discrete)
    if (latch && closed) latch.set = true
  }

  /** Closes the contact as a finger does: a rising edge counts. */
  press(discrete: number): void {
    const rises = this.#contacts[discrete] === 0
    this.set(discrete, true)
    if (rises) this.count(discrete, this.counted(discrete) + 1)
  }

  active(discrete: number): boolean {
    this.#known(discrete)
    return this.#contacts[discrete] === 1 || this.#latches.get(discrete)?.set === true
  }

  latch(discrete: number, resetCoil: number): void {
    this.#latches.set(discrete, { resetCoil, set: this.active(discrete) })
  }

  counted(discrete: number): number {
    this.#known(discrete)
    return this.#counts[discrete] ?? 0
  }

  /** Counters have 32 bits and go round to 0. */
  count(discrete: number, value: number): void {
    this.#known(discrete)
    this.#counts[discrete] = value
  }

  /** As after power-up: counters 0, relays off, latches forgotten; the contacts are what they are. */
  restart(): void {
    this.#counts.fill(0)
    this.coils.fill(0)
    this.holdings.fill(0)
    for (const [discrete, latch] of this.#latches) latch.set = this.#contacts[discrete] === 1
  }

  /** Does what the request says and gives the answer, which may be an exception. */
  execute(pdu: Buffer): Buffer {
    const fc = pdu[0] ?? 0
    switch (fc) {
      case 1:
        return this.#readBits(pdu, this.coils.length, (at) => this.coils[at] === 1)
      case 2:
        return this.#readBits(pdu, this.#contacts.length, (at) => this.active(at))
      case 3:
        return this.#readWords(pdu, this.holdings, 'holding')
      case 4:
        return this.#readWords(pdu, this.inputs, 'input')
      case 5:
      case 6:
        return this.#writeOne(pdu)
      case 8:
        return this.#diagnose(pdu)
      case 15:
      case 16:
        return this.#writeMany(pdu)
      default:
        return exception(fc, ILLEGAL_FUNCTION)
    }
  }

  /** Function code 8, sub-function 0: the answer is the request (6.8). An empty answer is none. */
  #diagnose(pdu: Buffer): Buffer {
    if (this.#diagnostics === 'silent') return Buffer.alloc(0)
    const isEcho = this.#diagnostics === 'answered' && pdu.length === 5 && pdu.readUInt16BE(1) === 0
    return isEcho ? Buffer.from(pdu) : exception(8, ILLEGAL_FUNCTION)
  }

  /** Function codes 1 and 2: at most 2,000 bits, the first in the lowest bit of the first byte (6.1, 6.2). */
  #readBits(pdu: Buffer, size: number, get: (at: number) => boolean): Buffer {
    const asked = range(pdu, 2000, size)
    if ('code' in asked) return exception(pdu[0] ?? 0, asked.code)
    const bytes = Buffer.alloc(2 + Math.ceil(asked.quantity / 8))
    bytes[0] = pdu[0] ?? 0
    bytes[1] = bytes.length - 2
    for (let i = 0; i < asked.quantity; i++)
      if (get(asked.address + i)) bytes[2 + (i >> 3)] = (bytes[2 + (i >> 3)] ?? 0) | (1 << (i & 7))
    return bytes
  }

  /** Function codes 3 and 4: at most 125 registers (6.3, 6.4). */
  #readWords(pdu: Buffer, words: Uint16Array, table: 'input' | 'holding'): Buffer {
    const asked = range(pdu, 125, words.length)
    if ('code' in asked) return exception(pdu[0] ?? 0, asked.code)
    const bytes = Buffer.alloc(2 + 2 * asked.quantity)
    bytes[0] = pdu[0] ?? 0
    bytes[1] = 2 * asked.quantity
    for (let i = 0; i < asked.quantity; i++)
      bytes.writeUInt16BE(
        this.#counterWord(table, asked.address + i) ?? words[asked.address + i] ?? 0,
        2 + 2 * i,
      )
    return bytes
  }

  #counterWord(table: 'input' | 'holding', address: number): number | undefined {
    if (this.#counters?.table !== table) return undefined
    const offset = address - this.#counters.at
    if (offset < 0 || offset >= 2 * this.#counts.length) return undefined
    const count = this.#counts[offset >> 1] ?? 0
    const high = (offset & 1) === (this.#counters.wordOrder === 'hi-lo' ? 0 : 1)
    return high ? count >>> 16 : count & 0xffff
  }

  /** Function codes 5 and 6 answer with the request itself (6.5, 6.6). */
  #writeOne(pdu: Buffer): Buffer {
    const fc = pdu[0] ?? 0
    if (pdu.length !== 5) return exception(fc, ILLEGAL_VALUE)
    const word = pdu.readUInt16BE(3)
    if (fc === 5 && word !== 0xff00 && word !== 0) return exception(fc, ILLEGAL_VALUE)
    return this.#write(pdu) ? Buffer.from(pdu) : exception(fc, ILLEGAL_ADDRESS)
  }

  /** Function codes 15 and 16 answer with address and quantity (6.11, 6.12). */
  #writeMany(pdu: Buffer): Buffer {
    const fc = pdu[0] ?? 0
    if (!wellFormedMany(pdu)) return exception(fc, ILLEGAL_VALUE)
    return this.#write(pdu) ? Buffer.from(pdu.subarray(0, 5)) : exception(fc, ILLEGAL_ADDRESS)
  }

  /** All or nothing. */
  #write(pdu: Buffer): boolean {
    const asked = writes(pdu)
    const size = asked[0]?.what === 'write coil' ? this.coils.length : this.holdings.length
    if (asked.some(({ address }) => address >= size)) return false
    for (const { address, value } of asked)
      if (typeof value === 'boolean') this.#switch(address, value)
      else this.holdings[address] = value
    return true
  }

  /** A coil that resets latches is a push: it does its work and reads 0 again. */
  #switch(coil: number, on: boolean): void {
    if (this.stuck.has(coil)) return
    const latches = [...this.#latches.values()].filter(({ resetCoil }) => resetCoil === coil)
    if (latches.length === 0) this.coils[coil] = on ? 1 : 0
    else if (on) for (const latch of latches) latch.set = false
  }

  #known(discrete: number): void {
    if (!(discrete >= 0 && discrete < this.#contacts.length))
      throw new RangeError(`the panel has inputs 0 to ${this.#contacts.length - 1}, not ${discrete}`)
  }
}

/** The writes a request asks for, whether the unit would obey or not. */
export const writes = (pdu: Buffer): readonly Write[] => {
  const functionCode = pdu[0]
  if (pdu.length < 5) return []
  const address = pdu.readUInt16BE(1)
  const word = pdu.readUInt16BE(3)
  if (functionCode === 5) return [{ what: 'write coil', address, value: word === 0xff00 }]
  if (functionCode === 6) return [{ what: 'write register', address, value: word }]
  if ((functionCode !== 15 && functionCode !== 16) || !wellFormedMany(pdu)) return []
  return Array.from({ length: word }, (_, i) =>
    functionCode === 15
      ? { what: 'write coil', address: address + i, value: bit(pdu, 6, i) }
      : { what: 'write register', address: address + i, value: pdu.readUInt16BE(6 + 2 * i) },
  )
}

const range = (
  pdu: Buffer,
  max: number,
  size: number,
): { address: number; quantity: number } | { code: number } => {
  if (pdu.length !== 5) return { code: ILLEGAL_VALUE }
  const address = pdu.readUInt16BE(1)
  const quantity = pdu.readUInt16BE(3)
  if (quantity < 1 || quantity > max) return { code: ILLEGAL_VALUE }
  return address + quantity > size ? { code: ILLEGAL_ADDRESS } : { address, quantity }
}

/** Quantity within 1 to 0x7B0 coils or 0x7B registers, and as many bytes as it says (6.11, 6.12). */
const wellFormedMany = (pdu: Buffer): boolean => {
  if (pdu.length < 7) return false
  const quantity = pdu.readUInt16BE(3)
  const [max, bytes] = pdu[0] === 15 ? [0x7b0, Math.ceil(quantity / 8)] : [0x7b, 2 * quantity]
  return quantity >= 1 && quantity <= max && pdu[5] === bytes && pdu.length === 6 + bytes
}

const bit = (bytes: Buffer, from: number, index: number): boolean =>
  ((bytes[from + (index >> 3)] ?? 0) & (1 << (index & 7))) !== 0
