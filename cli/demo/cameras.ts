import { startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { given, serve } from './thread.ts'

const start = (...presets: string[]) =>
  startOnvifCamera({
    username: 'bridge',
    password: given.password,
    presets: Object.fromEntries(presets.map((name, index) => [String(index + 1), name])),
  })

const mocks = {
  'ED camera': await start('TRIAGE 1', 'TRIAGE 2', 'ED HALL'),
  'lobby camera': await start('LOBBY', 'PHARMACY', 'CASH DESK'),
}

const wires = { ed: mocks['ED camera'].url, lobby: mocks['lobby camera'].url }
/** Where they listen. */
export type CameraWires = typeof wires

serve(mocks, wires)
