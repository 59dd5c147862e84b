import { createRequire } from 'node:module'
import type { FastifySchemaCompiler } from 'fastify'
import type { Clock, Timer } from '../core/clock.ts'

/** After so long the validators are made that no request has needed yet, ms: what is urgent after a start is over. */
const warmMs = 2_000
/** Pause between two of them, ms: nobody waits for more than one. */
const pauseMs = 20

interface Validator {
  (value: unknown): unknown
  errors?: unknown
}
type Compile = (route: { readonly schema: unknown }) => Validator

/** Fastify's own, with its library: 100 ms of processor time for all routes, which a start after a crash has better use for. */
const loadCompiler = (): Compile => {
  const ofFastify = createRequire(import.meta.resolve('fastify'))
  const build = ofFastify('@fastify/ajv-compiler')()
  // Refuse what does not fit instead of bending it. Our schemas come from zod: they need no checking.
  const customOptions = {
    coerceTypes: false,
    removeAdditional: false,
    allErrors: false,
    validateSchema: false,
  }
  return build({}, { customOptions })
}

/** Validators of requests: each is made when the first request needs it, or some time after the start. */
export class Validation {
  readonly #clock: Clock
  readonly #toMake: (() => void)[] = []
  #compile: Compile | null = null
  #timer: Timer

  constructor(clock: Clock) {
    this.#clock = clock
    this.#timer = clock.after(warmMs, () => this.#warm())
  }

  readonly compiler: FastifySchemaCompiler<unknown> = ({ schema }) => {
    let made: Validator | null = null
    const make = (): Validator => {
      this.#compile ??= loadCompiler()
      made ??= this.#compile({ schema })
      return made
    }
    const validate: Validator = (value) => {
      const validator = make()
      const fits = validator(value)
      validate.errors = validator.errors
      return fits
    }
    this.#toMake.push(make)
    return validate as ReturnType<FastifySchemaCompiler<unknown>>
  }

  stop(): void {
    this.#timer.cancel()
  }

  #warm(): void {
    this.#toMake.shift()?.()
    if (this.#toMake.length > 0) this.#timer = this.#clock.after(pauseMs, () => this.#warm())
  }
}
