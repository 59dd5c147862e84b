import type { Read } from '../heard.ts'
import type { Config } from '../index.ts'
import { minew, openmqttgateway } from './advert.ts'
import { button } from './button.ts'
import { kontakt } from './kontakt.ts'
import { chirpstack, tts } from './lorawan.ts'
import { mapping } from './mapping.ts'
import { quuppa } from './quuppa.ts'

/** How the messages of this connector are read. The schema demands one of `profile` and `mapping`. */
export const readOf = (config: Config): Read => {
  const { alarm = {}, pressed } = config
  switch (config.profile) {
    case 'kontakt':
      return kontakt
    case 'quuppa':
      return quuppa
    case 'minew':
      return minew(alarm)
    case 'openmqttgateway':
      return openmqttgateway(alarm)
    case 'chirpstack':
      return chirpstack(pressed)
    case 'tts':
      return tts(pressed)
    case 'button':
      return button
    default:
      return mapping(config.mapping as string)
  }
}
