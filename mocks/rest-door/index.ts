import { type Door, type DoorSpec, type Doors, makeDoors } from '../door.ts'
import { HttpAuth, type Scheme } from '../http/auth.ts'
import { type HttpMock, type Reply, type Request, startHttp } from '../http/device.ts'
import { Journal } from '../mock.ts'
import { type Asked, json } from './form.ts'
import { modesForm } from './modes.ts'
import { type Faults, vapixForm } from './vapix.ts'

export interface RestDoorOptions<Token extends string> {
  readonly port?: number
  readonly username: string
  readonly password: string
  /** For bearer authentication. */
  readonly token?: string
  /** Default: digest and basic, and bearer when there is a token. */
  readonly schemes?: readonly Scheme[]
  /** How VAPIX faults come; default `status`. */
  readonly faults?: Faults
  readonly doors: { readonly [token in Token]: DoorSpec }
}

export interface RestDoors<Token extends string> extends HttpMock {
  readonly doors: Doors<Token>
  /** The VAPIX form: POST here. */
  readonly vapix: string
  /** The generic form: GET {url}/{id}, PUT {url}/{id}/mode. */
  readonly url: string
}

/** Starts doors behind JSON over HTTP: in the form of Axis VAPIX, and in a generic form with modes. */
export const startRestDoors = async <Token extends string>({
  port = 0,
  username,
  password,
  token,
  schemes = token === undefined ? ['digest', 'basic'] : ['digest', 'basic', 'bearer'],
  faults = 'status',
  doors: specs,
}: RestDoorOptions<Token>): Promise<RestDoors<Token>> => {
  const journal = new Journal()
  journal.allow('GetDoorState', 'GetDoorInfoList', 'getMode', 'not-authorized')
  const auth = new HttpAuth({ username, password, schemes, ...(token === undefined ? {} : { token }) })
  const doors = makeDoors(specs)
  const all = Object.values<Door>(doors)
  const forms = [vapixForm(faults), modesForm()]

  const read = (request: Request): Asked | Reply => {
    for (const form of forms) {
      const asked = form(request, all)
      if (asked) return asked
    }
    return { status: 404 }
  }

  const refuse = (request: Request): Reply | null => {
    const refused = auth.refuse(request)
    // A first request without credentials is how digest begins, not a failed login.
    if (refused && request.headers.authorization) journal.note('not-authorized', { target: request.target })
    return refused
  }

  const mock = await startHttp(port, journal, {
    answer: (request) => {
      const refused = refuse(request)
      if (refused) return refused
      const asked = read(request)
      if ('status' in asked) return asked
      journal.note(asked.what, asked.detail)
      return asked.run()
    },
    note: (request) => {
      const asked = read(request)
      if ('what' in asked) journal.note(asked.what, asked.detail)
    },
    wrongAnswer: () => json(200, { Schedule: [{ token: 'always', Name: 'Always' }] }),
    forget: () => auth.forget(),
  })
  const origin = `http://${mock.host}:${mock.port}`
  const unplug = mock.close
  const close = () => {
    for (const door of all) door.close()
    return unplug()
  }
  return Object.assign(mock, { doors, vapix: `${origin}/vapix/doorcontrol`, url: `${origin}/doors`, close })
}
