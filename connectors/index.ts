import type { Connector } from '../core/connector.ts'
import type { Catalogue } from '../core/site/compile.ts'
import console from './console/index.ts'
import http from './http/index.ts'
import modbus from './modbus/index.ts'
import onvif from './onvif/index.ts'
import snpp from './snpp/index.ts'
import snppReceiver from './snpp/receiver/index.ts'
import tap from './tap/index.ts'
import webhook from './webhook/index.ts'

/** Every connector that a config may name by its `type`: one import and one word each. */
const connectors: readonly Connector[] = [console, http, modbus, onvif, snpp, snppReceiver, tap, webhook]

export const catalogue: Catalogue = new Map(connectors.map((connector) => [connector.type, connector]))
