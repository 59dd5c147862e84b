import type { Connector } from '../core/connector.ts'
import type { Catalogue } from '../core/site/compile.ts'
import console from './console/index.ts'
import espa444 from './espa444/index.ts'
import http from './http/index.ts'
import mobile from './mobile/index.ts'
import modbus from './modbus/index.ts'
import mqtt from './mqtt/index.ts'
import onvif from './onvif/index.ts'
import opcua from './opcua/index.ts'
import siaDc09 from './sia-dc09/index.ts'
import smtp from './smtp/index.ts'
import snpp from './snpp/index.ts'
import snppReceiver from './snpp/receiver/index.ts'
import tap from './tap/index.ts'
import wctp from './wctp/index.ts'
import webhook from './webhook/index.ts'

/** Every connector that a config may name by its `type`: one import and one word each. */
const connectors: readonly Connector[] = [
  console,
  espa444,
  http,
  mobile,
  modbus,
  mqtt,
  onvif,
  opcua,
  siaDc09,
  smtp,
  snpp,
  snppReceiver,
  tap,
  wctp,
  webhook,
]

export const catalogue: Catalogue = new Map(connectors.map((connector) => [connector.type, connector]))
