import { BridgeError, type ErrorCode } from '../../core/error.ts'
import { exceptionOf } from './codec.ts'

/** The unit answered "no": Modbus exception `exception`. */
export class ModbusException extends BridgeError {
  readonly exception: number

  constructor(exception: number, what: string) {
    const { code, means } = exceptionOf(exception)
    super(code, `${what}: Modbus exception ${exception}, ${means}`)
    this.exception = exception
  }
}

/** Nothing of the request has been sent. */
export class NotSent extends BridgeError {
  /** When it is of use to ask again, on the monotonic clock; null: whenever. */
  readonly againAt: number | null

  constructor(code: ErrorCode, message: string, againAt: number | null = null) {
    super(code, message)
    this.againAt = againAt
  }
}
